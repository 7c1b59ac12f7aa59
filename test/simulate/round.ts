/** One round: starts an installation, plays what the seed draws, and finds what broke. */
import { type Finding, findingsOf, storyOf, toldCalls } from './check.ts';
import { startInstallation } from './installation.ts';
import { observe } from './observe.ts';
import { play } from './play.ts';
import type { FaultKind, PlannedFault, Schedule } from './schedule.ts';

export interface Round {
  seed: number;
  calls: number;
  recoveryMs: number;
  /** What was told until then; attempts without an answer are not in it. */
  recovery: string;
  faults: string[];
  kinds: FaultKind[];
  /** Kinds of faults that this machine cannot make. */
  leftOut: FaultKind[];
  findings: Finding[];
}

/** Plays a round. Where it is given up, it rejects once nothing of it runs any more. */
export async function playRound(schedule: Schedule, signal: AbortSignal): Promise<Round> {
  await using installation = await startInstallation(signal);
  const outcome = await play(schedule, installation, signal);
  const seen = await observe(outcome, toldCalls(outcome.played), installation.line);
  const made = schedule.faults.filter((fault) => !outcome.leftOut.includes(fault));
  return {
    seed: schedule.seed,
    calls: schedule.calls.length,
    recoveryMs: outcome.recoveryMs,
    recovery: storyOf(outcome.recovering),
    faults: made.map(textOf),
    kinds: made.map(({ kind }) => kind),
    leftOut: outcome.leftOut.map(({ kind }) => kind),
    findings: findingsOf(seen),
  };
}

function textOf({ atMs, kind, target, forMs, offsetMs }: PlannedFault): string {
  const lasting = forMs === 0 ? '' : ` for ${forMs} ms`;
  return `at ${atMs} ms ${kind} ${target}${offsetMs === 0 ? '' : ` by ${offsetMs} ms`}${lasting}`;
}
