/** Returns true for an object with members: settings and schemas are read before anything is known about them. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
