import { systemClock } from './clock.ts';

/** Waits for a promise. Throws an Error that names `what` when it takes longer than the deadline. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const settled = new AbortController();
  const late = systemClock.sleep(ms, settled.signal).then(() => {
    throw new Error(`${what} took longer than ${ms} ms.`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => undefined);
    settled.abort();
  }
}
