/** What `npm run simulate` prints. */
import { type Breach, breaches } from './check.ts';
import type { Round } from './round.ts';
import type { FaultKind } from './schedule.ts';

/** What is promised after a dependency came back. */
const RECOVERY_MS = 10_000;

const names: Readonly<Record<Breach, string>> = {
  lost: 'lost',
  doubled: 'doubled',
  unlogged: 'unlogged',
  'false answer': 'false answers',
  stuck: 'stuck',
  unapproved: 'done without approval',
  'over limit': 'limits and budgets exceeded',
  audit: 'audits not intact',
  'not started': 'not started again',
  'doubled after a set back': 'done more than once more for each copy of NATS that was put back',
  'over limit after a set back':
    'limits exceeded more than once for each copy of Redis or NATS that was put back',
  'unlogged after a set back':
    'records that FerretDB lost when it was set back, without audit verify saying so',
};

/** Returns whether a round kept every promise. */
export function isBroken({ findings, recoveryMs }: Round): boolean {
  return findings.length > 0 || recoveryMs > RECOVERY_MS;
}

/** Returns the report of all rounds. `options` are those that draw the same rounds, after `--seed`. */
export function reportOf(rounds: readonly Round[], options: readonly string[]) {
  const findings = rounds.flatMap((round) => round.findings);
  const slowest = Math.max(0, ...rounds.map(({ recoveryMs }) => recoveryMs));
  const checks = [
    ...breaches.map((breach) => {
      const value = findings.filter((one) => one.breach === breach).length;
      return { name: names[breach], value, target: 0, unit: 'found', met: value === 0 };
    }),
    {
      name: 'slowest recovery',
      value: slowest,
      target: RECOVERY_MS,
      unit: 'ms',
      met: slowest <= RECOVERY_MS,
    },
  ];
  const broken = rounds.filter(isBroken).map(({ seed, recoveryMs, recovery, faults, findings: found }) => ({
    seed,
    repeat: ['npm run simulate --', `--seed ${seed}`, ...options].join(' '),
    ...{ recoveryMs, recovery, faults, findings: found },
  }));
  return {
    name: 'simulate',
    passed: checks.every(({ met }) => met),
    checks,
    rounds: rounds.length,
    calls: rounds.reduce((sum, { calls }) => sum + calls, 0),
    faults: countsOf(rounds.flatMap(({ kinds }) => kinds)),
    /** Faults that were drawn, and that this machine cannot make. */
    leftOut: countsOf(rounds.flatMap(({ leftOut }) => leftOut)),
    broken,
  };
}

function countsOf(kinds: readonly FaultKind[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Returns a line about a round that has ended. */
export function lineOf({ seed, calls, faults, recoveryMs, findings }: Round): string {
  const found = findings.map(({ breach }) => breach).join(', ');
  return `seed ${seed}: ${calls} calls, ${faults.length} faults, recovered in ${recoveryMs} ms, ${found || 'nothing broken'}\n`;
}

/** Returns the report as a person reads it. */
export function textOf({ checks, broken, calls, faults, leftOut }: ReturnType<typeof reportOf>): string {
  const listed = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ') || 'none';
  return `${[
    ...checks.map(
      ({ name, value, target, unit, met }) =>
        `${met ? 'met    ' : 'NOT MET'}  ${name}: ${value} ${unit} (at most ${target})`,
    ),
    `${calls} calls; faults: ${listed(faults)}; not possible on this machine: ${listed(leftOut)}`,
    ...broken.flatMap((round) => [
      `seed ${round.seed}: repeat with ${round.repeat}`,
      ...round.faults.map((fault) => `  ${fault}`),
      `  recovered in ${round.recoveryMs} ms: ${round.recovery}`,
      ...round.findings.map(({ breach, text, story }) => `  ${breach} ${text} ${story}`),
    ]),
  ].join('\n')}\n`;
}
