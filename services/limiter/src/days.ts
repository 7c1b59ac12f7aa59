/** Days of the calendar in a time zone. */
/** Longer than any day: one in which clocks are set back has 25 hours. */
const LONGER_THAN_A_DAY_MS = 26 * 3_600_000;

/**
 * Returns the instants at which the day before, this day, and the three days after it begin in a time zone. A day begins
 * at the first instant that has its date: clocks may be set forward at midnight.
 */
export function daysAround(zone: string, nowMs: number): readonly number[] {
  const known = lately.get(zone);
  const [, today = 0, tomorrow = 0] = known ?? [];
  if (known !== undefined && nowMs >= today && nowMs < tomorrow) return known;
  const start = startOfDay(zone, nowMs);
  const days = [startOfDay(zone, start - 1), start];
  while (days.length < 5) days.push(nextDay(zone, days.at(-1) ?? start));
  if (lately.size >= ZONES_MAX) lately.clear();
  lately.set(zone, days);
  return days;
}

/** Searching takes as long as a hundred decisions, so it is done once a day. Configurations and policies name few zones. */
const ZONES_MAX = 64;
const lately = new Map<string, readonly number[]>();

function startOfDay(zone: string, atMs: number): number {
  const date = dateOf(zone, atMs);
  return firstInstant(atMs - LONGER_THAN_A_DAY_MS, atMs, (ms) => dateOf(zone, ms) === date);
}

function nextDay(zone: string, startMs: number): number {
  const date = dateOf(zone, startMs);
  return firstInstant(startMs, startMs + LONGER_THAN_A_DAY_MS, (ms) => dateOf(zone, ms) !== date);
}

/** Returns the first instant at which something holds, which does not hold at `before` and holds at `after`. */
function firstInstant(before: number, after: number, holds: (ms: number) => boolean): number {
  let [low, high] = [before, after];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function dateOf(timeZone: string, atMs: number): string {
  const known = formats.get(timeZone);
  const format =
    known ?? new Intl.DateTimeFormat('en-US', { timeZone, calendar: 'gregory', numberingSystem: 'latn' });
  if (known === undefined && formats.size >= ZONES_MAX) formats.clear();
  formats.set(timeZone, format);
  return format.format(atMs);
}

const formats = new Map<string, Intl.DateTimeFormat>();
