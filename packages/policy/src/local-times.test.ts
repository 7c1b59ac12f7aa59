import { describe, expect, test } from 'vitest';
import { localTimes } from './local-times.ts';

const at = (time: string) => localTimes(['Europe/Berlin', 'America/New_York', 'UTC'], Date.parse(time));

describe('the local time', () => {
  test('is that of each zone, on its own day', () => {
    expect(at('2026-01-01T00:30:00Z')).toEqual({
      'Europe/Berlin': { date: '2026-01-01', weekday: 4, minuteOfDay: 90 },
      'America/New_York': { date: '2025-12-31', weekday: 3, minuteOfDay: 19 * 60 + 30 },
      UTC: { date: '2026-01-01', weekday: 4, minuteOfDay: 30 },
    });
  });

  test('begins a day at minute 0, and a week on Monday with 1', () => {
    expect(at('2026-01-12T00:00:00Z')['UTC']).toEqual({ date: '2026-01-12', weekday: 1, minuteOfDay: 0 });
    expect(at('2026-01-18T23:59:59Z')['UTC']).toEqual({ date: '2026-01-18', weekday: 7, minuteOfDay: 1_439 });
  });

  test('follows daylight saving time', () => {
    expect(at('2026-07-01T10:00:00Z')['Europe/Berlin']?.minuteOfDay).toBe(12 * 60);
  });

  test.each([
    ['2026-03-29T00:59:00Z', 'Europe/Berlin', { date: '2026-03-29', weekday: 7, minuteOfDay: 119 }],
    ['2026-03-29T01:00:00Z', 'Europe/Berlin', { date: '2026-03-29', weekday: 7, minuteOfDay: 180 }],
    ['2026-10-25T00:59:00Z', 'Europe/Berlin', { date: '2026-10-25', weekday: 7, minuteOfDay: 179 }],
    ['2026-10-25T01:00:00Z', 'Europe/Berlin', { date: '2026-10-25', weekday: 7, minuteOfDay: 120 }],
    ['2026-03-08T06:59:00Z', 'America/New_York', { date: '2026-03-08', weekday: 7, minuteOfDay: 119 }],
    ['2026-03-08T07:00:00Z', 'America/New_York', { date: '2026-03-08', weekday: 7, minuteOfDay: 180 }],
    ['2026-11-01T05:59:00Z', 'America/New_York', { date: '2026-11-01', weekday: 7, minuteOfDay: 119 }],
    ['2026-11-01T06:00:00Z', 'America/New_York', { date: '2026-11-01', weekday: 7, minuteOfDay: 60 }],
  ])('is right at %s in %s, where an hour is skipped or repeated', (time, zone, expected) => {
    expect(localTimes([zone], Date.parse(time))[zone]).toEqual(expected);
  });

  test('is not known for a zone that does not exist', () => {
    expect(() => localTimes(['Mars/Olympus'], 0)).toThrow(RangeError);
  });
});
