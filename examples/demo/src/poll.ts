import { systemClock } from '@interlock/shell';
import { Unexpected } from './expect.ts';

const POLL_MS = 50;

export interface Poll {
  /** What is waited for, as a sentence that says it is missing. */
  what: string;
  withinMs: number;
  signal: AbortSignal;
}

/** Reads until something is found. Throws `Unexpected` at the deadline. */
export async function poll<T>(
  { what, withinMs, signal }: Poll,
  read: () => Promise<T | undefined>,
): Promise<T> {
  const endMs = systemClock.monotonicMs() + withinMs;
  for (;;) {
    const found = await read();
    if (found !== undefined) return found;
    if (systemClock.monotonicMs() > endMs) throw new Unexpected(`${what} (waited ${withinMs} ms)`);
    await systemClock.sleep(POLL_MS, signal);
  }
}
