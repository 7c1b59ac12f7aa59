import { setTimeout as delay } from 'node:timers/promises';

/** Short against any wait on a server, long against the cost of a check. */
const POLL_MS = 10;
/** What a loaded machine needs to start or recover a server. */
const DEADLINE_MS = 10_000;

/**
 * Asks again until a check returns something other than false or undefined, and returns that.
 * A check that throws is asked again. Throws at the deadline, with the last error as the cause.
 */
export async function eventually<T>(
  check: () => T | false | undefined | Promise<T | false | undefined>,
  deadlineMs: number = DEADLINE_MS,
): Promise<T> {
  const until = performance.now() + deadlineMs;
  let cause: unknown;
  do {
    try {
      const answer = await check();
      if (answer !== false && answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(POLL_MS);
  } while (performance.now() < until);
  throw new Error(`What was waited for did not happen within ${deadlineMs} ms.`, { cause });
}
