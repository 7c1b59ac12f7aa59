import type { PolicyInput } from '@interlock/contracts';

type LocalTimes = PolicyInput['context']['local'];
/** ISO 8601: Monday is 1. */
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** Returns the local time in each zone (IANA names). Throws `RangeError` for a zone that this machine does not know. */
export function localTimes(zones: readonly string[], epochMs: number): LocalTimes {
  return Object.fromEntries(zones.map((zone) => [zone, localTime(zone, epochMs)]));
}

function localTime(timeZone: string, epochMs: number): LocalTimes[string] {
  const parts = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(epochMs)
      .map(({ type, value }) => [type, value]),
  );
  return {
    date: `${parts['year']}-${parts['month']}-${parts['day']}`,
    weekday: WEEKDAYS.indexOf(parts['weekday'] ?? '') + 1,
    minuteOfDay: Number(parts['hour']) * 60 + Number(parts['minute']),
  };
}

/** Making one takes longer than a decision. A policy has at most 32 zones, which bounds the map. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
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
  formats.set(timeZone, format);
  return format;
}
