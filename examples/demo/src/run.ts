/** Runs the demo: starts everything, plays the steps, prints a summary, and removes everything. */
import { once } from 'node:events';
import { print } from '@interlock/cli';
import { Failure, failureOf } from '@interlock/shell';
import { invitation } from './invitation.ts';
import type { Machine } from './machine.ts';
import { playSteps } from './scenario.ts';
import { Screen, seconds } from './screen.ts';
import { setUp } from './setup.ts';
import type { Run } from './steps.ts';
import { summaryText } from './summary.ts';

export interface DemoOptions {
  /** Leave everything running after the last step, until a signal. */
  keep?: boolean;
  /** One JSON document on standard output, and the steps on standard error. */
  json?: boolean;
}

/** Runs the demo to its end. Throws `step_failed`, `interrupted`, or what kept the installation from starting. */
export async function runDemo(machine: Machine, options: DemoOptions): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort(new Failure('interrupted', 'The demo was stopped before its end.'));
  process.on('SIGTERM', end).on('SIGINT', end);
  // Whoever read the output has ended; what was started must still be removed.
  process.stdout.on('error', end);
  const screen = new Screen(options.json === true ? process.stderr : process.stdout);
  const run: Run = { machine, screen, signal: stop.signal, results: [], summary: [] };
  try {
    await playOut(run, options);
    conclude(run, options, true);
  } catch (error) {
    conclude(run, options, false);
    // An interrupt makes other things fail; the interrupt is the reason to report.
    throw stop.signal.aborted ? failureOf(stop.signal.reason) : failureOf(error);
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end);
    process.stdout.off('error', end);
  }
}

/** Everything that was started ends here, whatever happens. */
async function playOut(run: Run, { keep }: DemoOptions): Promise<void> {
  const { screen, signal, results, summary } = run;
  const startedMs = performance.now();
  await using owned = new AsyncDisposableStack();
  screen.heading('Interlock demo: an agent, its tools, and Interlock between them');
  const setup = await setUp(owned, run);
  try {
    await playSteps(setup, run);
  } finally {
    screen.heading('Summary');
    screen.text(summaryText(summary));
  }
  screen.text(`\nAll ${results.length} steps passed, after ${seconds(performance.now() - startedMs)}.`);
  if (keep !== true) return;
  screen.heading('Interlock is left running');
  screen.text(invitation(setup));
  if (!signal.aborted) await once(signal, 'abort');
  screen.text('\nStopping.');
}

function conclude({ results, summary }: Run, options: DemoOptions, passed: boolean): void {
  if (options.json !== true) return;
  const steps = results.map(({ tookMs, ...step }) => ({ ...step, tookMs: Math.round(tookMs) }));
  const calls = summary.map(({ tookMs, ...call }) => ({ ...call, tookMs: Math.round(tookMs) }));
  print({ json: true }, { name: 'demo', passed, steps, calls }, '');
}
