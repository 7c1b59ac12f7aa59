/** Spans of time as a person writes them. */
import { usage } from '@interlock/shell';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
const DURATION = /^([0-9]{1,6})([smhdw])$/;

/**
 * Returns the instant a text names, in milliseconds since the epoch: a while ago (`90s`, `30m`, `12h`, `7d`, `2w`), or
 * a date or time (RFC 3339). Throws `usage`.
 */
export function instantOf(text: string, nowMs: number): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count !== undefined && isUnit(unit)) return Math.max(0, nowMs - Number(count) * UNITS[unit]);
  const at = /^\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || at < 0)
    throw usage(`"${text}" is no time: write 7d, 12h, 2026-01-31 or 2026-01-31T08:00:00Z.`);
  return at;
}

/** Returns the span between two texts; up to now where the second is left out. Throws `usage`. */
export function spanOf(
  { since, until }: { since: string; until?: string | undefined },
  nowMs: number,
): { since: number; until: number } {
  const from = instantOf(since, nowMs);
  const to = until === undefined ? nowMs : instantOf(until, nowMs);
  if (from > to) throw usage('The span ends before it begins.');
  return { since: from, until: to };
}

function isUnit(text: string | undefined): text is keyof typeof UNITS {
  return text !== undefined && Object.hasOwn(UNITS, text);
}
