/** The same call at another time: what policy would see of the clock then. */
import type { Json } from '@interlock/contracts';
import { localTimes } from '@interlock/policy';
import { z } from 'zod';
import { changedAt, valueAt } from './places-of-input.ts';

export const HOUR_MS = 3_600_000;
/** After a week every hour of it was there. */
export const HOURS_MAX = 7 * 24;

/** Returns the instant an input was made. */
export function epochOf(input: Json): number {
  return z.number().parse(valueAt(input, ['context', 'epochMs']));
}

/** Returns a full hour after the input was made: the first is less than an hour away. */
export function hourAfter(input: Json, hour: number): number {
  return Math.floor(epochOf(input) / HOUR_MS + hour) * HOUR_MS;
}

/** Returns the input as it would be at an instant. Throws `RangeError` for a zone that this machine does not know. */
export function atInstant(input: Json, atMs: number): Json {
  const time = changedAt(input, ['context', 'time'], new Date(atMs).toISOString());
  const epoch = changedAt(time, ['context', 'epochMs'], atMs);
  return changedAt(epoch, ['context', 'local'], localTimes(zonesOf(input), atMs));
}

/** Returns the wall clocks of an input at an instant, by zone: `2026-01-16 08:30`. */
export function clocksAt(input: Json, atMs: number): Record<string, string> {
  const two = (number: number) => String(number).padStart(2, '0');
  const entries = Object.entries(localTimes(zonesOf(input), atMs)).map(([zone, { date, minuteOfDay }]) => [
    zone,
    `${date} ${two(Math.trunc(minuteOfDay / 60))}:${two(minuteOfDay % 60)}`,
  ]);
  return Object.fromEntries(entries);
}

function zonesOf(input: Json): string[] {
  return Object.keys(z.record(z.string(), z.unknown()).parse(valueAt(input, ['context', 'local'])));
}
