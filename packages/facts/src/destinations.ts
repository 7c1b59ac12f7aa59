import type { Json, PolicyFacts, Tool } from '@interlock/contracts';
import { type Destination, readUrl } from './url.ts';

type HttpTarget = Extract<Tool['target'], { kind: 'http' }>;
const PLACEHOLDER = /\{\+?([A-Za-z0-9_.-]{1,64})\}/g;

/** Returns the destination of the request that an HTTP tool makes; undefined for other tools. */
export function ownDestination(
  { target }: { target: HttpTarget | { kind: 'mcp' } },
  parsed: Readonly<Record<string, Json>>,
): { readable: true; destination: Destination & { method: string } } | { readable: false } | undefined {
  if (target.kind !== 'http') return undefined;
  // Placeholders are only allowed in the path, so the destination does not depend on the arguments.
  const destination = readUrl(target.url.replaceAll(PLACEHOLDER, 'x'));
  if (destination === undefined) return { readable: false };
  return {
    readable: true,
    destination: { ...destination, method: target.method, carries: carries(target, parsed) },
  };
}

/** Returns a destination as a fact. It is new until the session stored it as used. */
export function destinationFact(
  destination: Destination,
  used: readonly string[],
): Omit<Extract<PolicyFacts['destinations'][number], { readable: true }>, 'at'> {
  return { readable: true, ...destination, firstUse: !used.includes(destination.origin) };
}

/** True when the request carries any argument: in the path, the query, a header or the body. */
function carries(
  { url, query, headers, body, method }: HttpTarget,
  parsed: Readonly<Record<string, Json>>,
): boolean {
  const given = Object.keys(parsed);
  if (given.length === 0) return false;
  if (body === 'all' && method !== 'GET' && method !== 'HEAD') return true;
  const templates = [url, ...Object.values(query), ...Object.values(headers)];
  const carried = new Set([
    ...templates.flatMap((template) => [...template.matchAll(PLACEHOLDER)].map(([, name]) => name)),
    ...(typeof body === 'string' ? [] : body),
  ]);
  return given.some((name) => carried.has(name));
}
