/** `npm run simulate`: rounds of calls and faults drawn from seeds, on real processes. See README.md beside it. */
import { parseArgs } from 'node:util';
import { isBroken, lineOf, reportOf, textOf } from './report.ts';
import { playRound, type Round } from './round.ts';
import { drawSchedule, type FaultKind, faultKinds } from './schedule.ts';

const USAGE = `usage: npm run simulate -- [options]

Starts a whole installation for each seed, makes calls and faults that the seed draws, and checks from outside what
agents were told, what the upstream counted, and what the audit shows.

  --seeds <n>      rounds, with the seeds 1 to n (20)
  --first <s>      the seed of the first of them (1)
  --seed <s>       this one round
  --calls <n>      calls of a round (500)
  --faults <list>  only these kinds, separated by commas:
                   ${faultKinds.slice(0, 6).join(', ')},
                   ${faultKinds.slice(6).join(', ')}
  --at-once <n>    rounds that run side by side (2)
  --json           one JSON object on standard output; progress stays on standard error
  --help           this text

A round that breaks a promise is printed with the command that repeats it. An interrupt ends every process and leaves
no folder behind. As root on Linux the data folder gets a file system of its own: without one a power cut is left out,
and a full or slow disk is made at the servers.

The exit code is 0 when every check is met, 1 when one is not, 2 when it was used wrongly.
`;

const SEED_MAX = 2 ** 32 - 1;
const SEEDS_MAX = 100_000;
const CALLS_MAX = 100_000;
const AT_ONCE_MAX = 64;
/** As shells count a command that a signal ended. */
const INTERRUPTED = 130;

interface Options {
  seeds: number[];
  calls: number;
  kinds: readonly FaultKind[];
  atOnce: number;
  json: boolean;
  /** What draws the same round again, besides its seed. */
  repeating: string[];
}

await main();

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const interrupt = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, () => interrupt.abort(new Error(`interrupted by ${name}`)));
  try {
    const rounds = await playRounds(options, interrupt.signal);
    const report = reportOf(rounds, options.repeating);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
    process.exitCode = report.passed ? 0 : 1;
  } catch (failure) {
    // Whatever was under way ends with an error of its own.
    const error: unknown = interrupt.signal.aborted ? interrupt.signal.reason : failure;
    process.exitCode = interrupt.signal.aborted ? INTERRUPTED : 1;
    process.stderr.write(`simulate: ${error instanceof Error ? error.message : 'failed'}\n`);
  } finally {
    for (const name of signals) process.removeAllListeners(name);
  }
}

/** Rejects once no round runs any more. */
async function playRounds(options: Options, interrupted: AbortSignal): Promise<Round[]> {
  const { calls, kinds, seeds, atOnce } = options;
  const rounds: Round[] = [];
  const left = [...seeds];
  // What makes one round impossible ends the others, too.
  const failing = new AbortController();
  const signal = AbortSignal.any([interrupted, failing.signal]);
  const next = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const round = await playRound(drawSchedule(seed, { calls, kinds }), signal);
      rounds.push(round);
      process.stderr.write(lineOf(round));
      if (isBroken(round))
        for (const { text, story } of round.findings) process.stderr.write(`  ${text} ${story}\n`);
    }
  };
  const playing = Array.from({ length: Math.min(atOnce, left.length) }, () =>
    next().catch((error: unknown) => {
      failing.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(playing);
  await Promise.all(playing);
  return rounds.sort((one, other) => one.seed - other.seed);
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      strict: true,
      options: {
        seeds: { type: 'string', default: '20' },
        first: { type: 'string', default: '1' },
        seed: { type: 'string' },
        calls: { type: 'string', default: '500' },
        faults: { type: 'string' },
        'at-once': { type: 'string', default: '2' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return void process.stdout.write(USAGE);
    const first = numberOf('first', values.first, SEED_MAX - SEEDS_MAX);
    const seeds = Array.from({ length: numberOf('seeds', values.seeds, SEEDS_MAX) }, (_, at) => first + at);
    const calls = numberOf('calls', values.calls, CALLS_MAX);
    return {
      seeds: values.seed === undefined ? seeds : [numberOf('seed', values.seed, SEED_MAX)],
      calls,
      kinds: values.faults === undefined ? faultKinds : values.faults.split(',').map(kindOf),
      atOnce: numberOf('at-once', values['at-once'], AT_ONCE_MAX),
      json: values.json,
      repeating: [`--calls ${calls}`, ...(values.faults === undefined ? [] : [`--faults ${values.faults}`])],
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
