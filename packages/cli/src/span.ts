/** Instants and spans of time as a person writes them. */
import type { Command } from 'commander';
import { usage } from './exit-codes.ts';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;
const DURATION = /^([0-9]{1,6})([smhdw])$/;
/** Since 2001, milliseconds have 13 digits. */
const MILLISECONDS = /^[0-9]{13}$/;
const RFC3339 = /^\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?$/;
const EXAMPLES = '7d, 12h, 2026-01-31 or 2026-01-31T08:00:00Z';

export interface SpanOptions {
  since?: string;
  until?: string;
}

/** Adds `--since` and `--until` to a command. */
export function withSpan(command: Command, subject: string, since?: string): Command {
  return command
    .option('--since <when>', `${subject} from this time on: ${EXAMPLES}`, since)
    .option('--until <when>', `${subject} up to this time (default: now)`);
}

/** Returns the span that two options name, up to now without `until`. Throws `usage`. */
export function spanOf(
  { since, until }: SpanOptions & { since: string },
  nowMs: number,
): { since: number; until: number } {
  return inOrder({
    since: instantOf(since, nowMs),
    until: until === undefined ? nowMs : instantOf(until, nowMs),
  });
}

/** Returns the ends of a span that its options name. Throws `usage`. */
export function namedSpanOf(
  { since, until }: SpanOptions,
  nowMs: number,
): { since?: number; until?: number } {
  return inOrder({
    ...(since === undefined ? {} : { since: instantOf(since, nowMs) }),
    ...(until === undefined ? {} : { until: instantOf(until, nowMs) }),
  });
}

function inOrder<S extends { since?: number; until?: number }>(span: S): S {
  if ((span.since ?? 0) > (span.until ?? Number.POSITIVE_INFINITY))
    throw usage('The span ends before it begins.');
  return span;
}

/**
 * Returns the instant a text names, in milliseconds since the epoch: a duration before now (`90s`, `30m`, `12h`, `7d`,
 * `2w`), a date or time (RFC 3339), or the milliseconds themselves. Throws `usage`.
 */
function instantOf(text: string, nowMs: number): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count !== undefined && isUnit(unit)) return Math.max(0, nowMs - Number(count) * UNITS[unit]);
  if (MILLISECONDS.test(text)) return Number(text);
  const at = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || at < 0) throw usage(`"${text}" is not a time. Write ${EXAMPLES}.`);
  return at;
}

function isUnit(text: string | undefined): text is keyof typeof UNITS {
  return text !== undefined && Object.hasOwn(UNITS, text);
}
