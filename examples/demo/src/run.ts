/** Runs the demo: sets the stage, tells the story, sums it up, and clears everything away. */
import { once } from 'node:events';
import { print } from '@interlock/cli';
import { Failure, failureOf } from '@interlock/shell';
import { invitation } from './invitation.ts';
import type { Machine } from './machine.ts';
import { Screen, seconds } from './screen.ts';
import { setStage } from './stage.ts';
import type { Run } from './steps.ts';
import { tellStory } from './story.ts';
import { summaryOf } from './tally.ts';

export interface DemoOptions {
  /** Leave everything running after the last step, until a signal. */
  keep?: boolean;
  /** One JSON document on standard output, and the story on standard error. */
  json?: boolean;
}

/** Runs the demo to its end. Throws `step_failed`, `interrupted`, or what kept the installation from starting. */
export async function runDemo(machine: Machine, options: DemoOptions): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort(new Failure('interrupted', 'The demo was stopped before its end.'));
  process.on('SIGTERM', end).on('SIGINT', end);
  // Where nobody reads any more, there is nobody to play to; what was started is still to be cleared away.
  process.stdout.on('error', end);
  const screen = new Screen(options.json === true ? process.stderr : process.stdout);
  const run: Run = { machine, screen, signal: stop.signal, results: [], played: [] };
  try {
    await playOut(run, options);
    conclude(run, options, true);
  } catch (error) {
    conclude(run, options, false);
    // Whatever an interrupt broke on its way, the interrupt is the reason.
    throw stop.signal.aborted ? failureOf(stop.signal.reason) : failureOf(error);
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end);
    process.stdout.off('error', end);
  }
}

/** What the stage owns ends here, whatever happens. */
async function playOut(run: Run, { keep }: DemoOptions): Promise<void> {
  const { screen, signal, results, played } = run;
  const startedMs = performance.now();
  await using owned = new AsyncDisposableStack();
  screen.heading('Interlock demo: an agent, its tools, and what stands between them');
  const stage = await setStage(owned, run);
  try {
    await tellStory(stage, run);
  } finally {
    screen.heading('Summary');
    screen.text(summaryOf(played));
  }
  screen.text(`\nAll ${results.length} steps held, after ${seconds(performance.now() - startedMs)}.`);
  if (keep !== true) return;
  screen.heading('It is yours now');
  screen.text(invitation(stage));
  if (!signal.aborted) await once(signal, 'abort');
  screen.text('\nStopping.');
}

function conclude({ results, played }: Run, options: DemoOptions, passed: boolean): void {
  if (options.json !== true) return;
  const steps = results.map(({ tookMs, ...step }) => ({ ...step, tookMs: Math.round(tookMs) }));
  const calls = played.map(({ tookMs, ...call }) => ({ ...call, tookMs: Math.round(tookMs) }));
  print({ json: true }, { name: 'demo', passed, steps, calls }, '');
}
