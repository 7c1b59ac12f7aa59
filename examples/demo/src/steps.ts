/** Runs the steps of the demo one after the other, and ends at the first that fails. */
import { Failure, failureOf } from '@interlock/shell';
import { z } from 'zod';
import type { Machine } from './machine.ts';
import type { Screen } from './screen.ts';
import type { SummaryRow } from './summary.ts';

/** No step takes this long on any machine: a step that hangs ends the demo. */
const STEP_MS = 90_000;

/** The result of a step. */
export const stepResultSchema = z.strictObject({
  name: z.string(),
  passed: z.boolean(),
  tookMs: z.number(),
  /** Why it failed. */
  fault: z.string().optional(),
});
export type StepResult = z.infer<typeof stepResultSchema>;

/** The record of a run. */
export interface Run {
  machine: Machine;
  screen: Screen;
  signal: AbortSignal;
  results: StepResult[];
  summary: SummaryRow[];
}

/** Runs one step, which returns in words what it showed. Throws `step_failed` naming the step. */
export async function step(run: Run, name: string, play: () => Promise<string>): Promise<void> {
  const { screen, results } = run;
  const startedMs = performance.now();
  screen.step(results.length + 1, name);
  try {
    const result = await withDeadline(play, run.signal);
    const tookMs = performance.now() - startedMs;
    results.push({ name, passed: true, tookMs });
    screen.passed(result, tookMs);
  } catch (cause) {
    run.signal.throwIfAborted();
    const fault = failureOf(cause).detail;
    results.push({ name, passed: false, tookMs: performance.now() - startedMs, fault });
    screen.failed(fault);
    throw new Failure('step_failed', `step ${results.length} failed, "${name}": ${fault}`, { cause });
  }
}

/** Waits for a step, unless it takes too long or the demo is stopped; what it still does is ignored then. */
async function withDeadline(play: () => Promise<string>, signal: AbortSignal): Promise<string> {
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
