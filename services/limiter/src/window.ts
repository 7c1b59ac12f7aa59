import type { Window } from './charge.ts';
import { daysAround } from './days.ts';

/** Returns the window that a budget counts in: so long, or a day of a time zone. */
export function windowOf(counted: { windowMs: number } | { day: string }, nowMs: number): Window {
  if ('windowMs' in counted) return { windowMs: counted.windowMs };
  return { day: counted.day, days: daysAround(counted.day, nowMs) };
}
