import { describe, expect, test } from 'vitest';
import { daysAround } from './days.ts';

const at = (text: string) => Date.parse(text);
const HOUR_MS = 3_600_000;

describe('[P-limits-day] a day of the calendar', () => {
  test.each([
    ['Europe/Berlin', '2026-01-14T10:00:00Z', '2026-01-13T23:00:00Z', 24],
    ['Europe/Berlin', '2026-01-14T22:59:59.999Z', '2026-01-13T23:00:00Z', 24],
    ['Europe/Berlin', '2026-01-14T23:00:00Z', '2026-01-14T23:00:00Z', 24],
    ['America/Los_Angeles', '2026-01-14T10:00:00Z', '2026-01-14T08:00:00Z', 24],
    ['Asia/Kathmandu', '2026-01-14T18:15:00Z', '2026-01-14T18:15:00Z', 24],
    ['UTC', '2026-01-14T10:00:00Z', '2026-01-14T00:00:00Z', 24],
    // Clocks are set forward and back.
    ['Europe/Berlin', '2026-03-29T10:00:00Z', '2026-03-28T23:00:00Z', 23],
    ['Europe/Berlin', '2026-10-25T10:00:00Z', '2026-10-24T22:00:00Z', 25],
    // Midnight is left out there: the day begins at one o'clock.
    ['Africa/Cairo', '2026-04-24T10:00:00Z', '2026-04-23T22:00:00Z', 23],
  ])('of %s at %s begins at %s, and has %i hours', (zone, now, start, hours) => {
    const days = daysAround(zone, at(now));
    const [, today = 0, tomorrow = 0] = days;
    expect(today).toBe(at(start));
    expect(tomorrow - today).toBe(hours * HOUR_MS);
    expect(days).toHaveLength(5);
    expect(days).toEqual(days.toSorted((one, other) => one - other));
  });

  test('is the next one after midnight, whatever was asked before', () => {
    const [, , tomorrow = 0] = daysAround('Asia/Tokyo', at('2026-01-14T10:00:00Z'));
    expect(daysAround('Asia/Tokyo', tomorrow - 1)[2]).toBe(tomorrow);
    expect(daysAround('Asia/Tokyo', tomorrow)[1]).toBe(tomorrow);
  });
});
