/** The same call at another time: its clock, its milliseconds and its local times together. */
import type { Json } from '@interlock/contracts';
import { localTimes } from '@interlock/policy';
import { z } from 'zod';
import { valueAt, withValueAt } from './input-nodes.ts';

export const HOUR_MS = 3_600_000;
/** A week has every hour of every weekday. */
export const HOURS_MAX = 7 * 24;

/** Returns the time of an input in milliseconds since the epoch. */
export function epochOf(input: Json): number {
  return z.number().parse(valueAt(input, ['context', 'epochMs']));
}

/** Returns a full hour after the time of the input: the first is less than an hour later. */
export function hourAfter(input: Json, hour: number): number {
  return Math.floor(epochOf(input) / HOUR_MS + hour) * HOUR_MS;
}

/** Returns the input at another time. Throws `RangeError` for a time zone that this machine does not know. */
export function inputAt(input: Json, atMs: number): Json {
  const time = withValueAt(input, ['context', 'time'], new Date(atMs).toISOString());
  const epoch = withValueAt(time, ['context', 'epochMs'], atMs);
  return withValueAt(epoch, ['context', 'local'], localTimes(zonesOf(input), atMs));
}

/** Returns the local times of an input at another time, by zone: `2026-01-16 08:30`. */
export function localTimesAt(input: Json, atMs: number): Record<string, string> {
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
