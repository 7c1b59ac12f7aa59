import type { PolicyInput } from '@interlock/contracts';

type LocalTimes = PolicyInput['context']['local'];
/** ISO 8601: Monday is 1. */
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** Returns the wall clock of each zone (IANA names) at an instant. Throws `RangeError` for a zone that is not there. */
export function localTimes(zones: readonly string[], epochMs: number): LocalTimes {
  return Object.fromEntries(zones.map((zone) => [zone, localTime(zone, epochMs)]));
}

function localTime(timeZone: string, epochMs: number): LocalTimes[string] {
  const parts = Object.fromEntries(
    clockOf(timeZone)
      .formatToParts(epochMs)
      .map(({ type, value }) => [type, value]),
  );
  return {
    date: `${parts['year']}-${parts['month']}-${parts['day']}`,
    weekday: WEEKDAYS.indexOf(parts['weekday'] ?? '') + 1,
    minuteOfDay: Number(parts['hour']) * 60 + Number(parts['minute']),
  };
}

/** Making one takes longer than a decision. Policy names at most 32 zones, so no more are kept than its versions name. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone);
  if (known !== undefined) return known;
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  clocks.set(timeZone, clock);
  return clock;
}
