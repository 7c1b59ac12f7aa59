/** `npm run simulate`: rounds of calls and faults drawn from seeds, on real processes. See README.md beside it. */
import { parseArgs } from 'node:util';
import { type Breach, type Finding, findingsOf } from './check.ts';
import { startInstallation } from './installation.ts';
import { play } from './play.ts';
import { drawSchedule, type FaultKind, faultKinds } from './schedule.ts';

const USAGE = `usage: npm run simulate -- [options]

Starts a whole installation for each seed, makes calls and faults that the seed draws, and checks from outside what
agents were told, what the upstream counted, and what the audit shows.

  --seeds <n>      rounds, with the seeds 1 to n (20)
  --seed <s>       this one round
  --calls <n>      calls of a round (200)
  --faults <list>  only these kinds, separated by commas: ${faultKinds.join(', ')}
  --json           one JSON object on standard output; progress stays on standard error
  --help           this text

The exit code is 0 when every check is met, 1 when one is not, 2 when it was used wrongly.
`;

/** What is promised after a dependency came back. */
const RECOVERY_MS = 10_000;
const SEEDS_MAX = 100_000;
const CALLS_MAX = 100_000;

interface Round {
  seed: number;
  recoveryMs: number;
  calls: number;
  faults: string[];
  findings: Finding[];
}

await main();

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const rounds: Round[] = [];
  for (const seed of options.seeds) {
    const round = await playRound(seed, options);
    rounds.push(round);
    const found = round.findings.map(({ breach }) => breach).join(', ');
    process.stderr.write(
      `seed ${seed}: ${round.calls} calls, ${round.faults.length} faults, recovered in ${round.recoveryMs} ms, ${found || 'nothing broken'}\n`,
    );
  }
  const report = reportOf(rounds);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
  if (!report.passed) process.exitCode = 1;
}

async function playRound(
  seed: number,
  { calls, kinds }: { calls: number; kinds: readonly FaultKind[] },
): Promise<Round> {
  const schedule = drawSchedule(seed, { calls, kinds });
  await using installation = await startInstallation(schedule);
  const outcome = await play(schedule, installation);
  return {
    seed,
    recoveryMs: outcome.recoveryMs,
    calls,
    faults: schedule.faults.map(
      ({ atMs, kind, target, forMs }) => `${atMs} ms ${kind} ${target} ${forMs} ms`,
    ),
    findings: await findingsOf(outcome, installation.line),
  };
}

function readOptions() {
  try {
    const { values } = parseArgs({
      strict: true,
      options: {
        seeds: { type: 'string', default: '20' },
        seed: { type: 'string' },
        calls: { type: 'string', default: '200' },
        faults: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return void process.stdout.write(USAGE);
    const seeds =
      values.seed === undefined
        ? Array.from({ length: numberOf('seeds', values.seeds, SEEDS_MAX) }, (_, index) => index + 1)
        : [numberOf('seed', values.seed, 2 ** 32 - 1)];
    return {
      seeds,
      calls: numberOf('calls', values.calls, CALLS_MAX),
      kinds: values.faults === undefined ? faultKinds : values.faults.split(',').map(kindOf),
      json: values.json,
    };
  } catch (error) {
    process.stderr.write(`simulate: ${error instanceof Error ? error.message : 'wrong usage'}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

function numberOf(name: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new Error(`--${name} takes a whole number from 1 to ${most}`);
}

function kindOf(text: string): FaultKind {
  const kind = faultKinds.find((known) => known === text);
  if (kind === undefined) throw new Error(`there is no kind of fault named ${text}`);
  return kind;
}

function reportOf(rounds: readonly Round[]) {
  const count = (...breaches: Breach[]) =>
    rounds.flatMap(({ findings }) => findings).filter(({ breach }) => breaches.includes(breach)).length;
  const none = (name: string, ...breaches: Breach[]) => {
    const value = count(...breaches);
    return { name, value, target: 0, unit: 'calls', met: value === 0 };
  };
  const slowest = Math.max(0, ...rounds.map(({ recoveryMs }) => recoveryMs));
  const checks = [
    none('lost', 'lost'),
    none('doubled', 'doubled'),
    none('unlogged', 'unlogged'),
    none('false answers', 'false answer'),
    none('stuck', 'stuck'),
    none('over budget', 'over budget'),
    none('audit not intact', 'audit'),
    {
      name: 'slowest recovery',
      value: slowest,
      target: RECOVERY_MS,
      unit: 'ms',
      met: slowest <= RECOVERY_MS,
    },
  ];
  const broken = rounds.filter(({ findings, recoveryMs }) => findings.length > 0 || recoveryMs > RECOVERY_MS);
  return { name: 'simulate', passed: checks.every(({ met }) => met), rounds: rounds.length, checks, broken };
}

function textOf({ checks, broken }: ReturnType<typeof reportOf>): string {
  const lines = checks.map(
    ({ name, value, target, unit, met }) =>
      `${met ? 'met    ' : 'NOT MET'}  ${name}: ${value} ${unit} (at most ${target})`,
  );
  const stories = broken.flatMap(({ seed, findings }) => [
    `seed ${seed}: repeat with npm run simulate -- --seed ${seed}`,
    ...findings.map(({ breach, text, story }) => `  ${breach} ${text} ${story}`),
  ]);
  return `${[...lines, ...stories].join('\n')}\n`;
}
