/** Runs the steps of the demo one after the other, and ends at the first that does not hold. */

import { Failure, failureOf } from '@interlock/shell';
import { z } from 'zod';
import type { Machine } from './machine.ts';
import type { Screen } from './screen.ts';
import type { Played } from './tally.ts';

/** No step takes this long on any machine; the demo ends by itself in any case. */
const STEP_MS = 90_000;

/** What became of a step. */
export const stepResultSchema = z.strictObject({
  name: z.string(),
  passed: z.boolean(),
  tookMs: z.number(),
  /** What did not hold. */
  fault: z.string().optional(),
});
export type StepResult = z.infer<typeof stepResultSchema>;

/** The record of a run. */
export interface Run {
  machine: Machine;
  screen: Screen;
  signal: AbortSignal;
  results: StepResult[];
  played: Played[];
}

/** Runs one step, which returns in words what was seen to hold. Throws `step_failed` naming the step. */
export async function step(run: Run, name: string, play: () => Promise<string>): Promise<void> {
  const { screen, results } = run;
  const startedMs = performance.now();
  screen.step(results.length + 1, name);
  try {
    const kept = await withinReach(play, run.signal);
    const tookMs = performance.now() - startedMs;
    results.push({ name, passed: true, tookMs });
    screen.kept(kept, tookMs);
  } catch (cause) {
    run.signal.throwIfAborted();
    const fault = failureOf(cause).detail;
    results.push({ name, passed: false, tookMs: performance.now() - startedMs, fault });
    screen.broken(fault);
    throw new Failure('step_failed', `step ${results.length} did not hold, "${name}": ${fault}`, { cause });
  }
}

/** Waits for a step, unless it takes too long or the demo is stopped: then what it still does is of no interest. */
async function withinReach(play: () => Promise<string>, signal: AbortSignal): Promise<string> {
  const ending = AbortSignal.any([signal, AbortSignal.timeout(STEP_MS)]);
  ending.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(ending.reason);
  ending.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([play(), ended]);
  } finally {
    ending.removeEventListener('abort', end);
  }
}
