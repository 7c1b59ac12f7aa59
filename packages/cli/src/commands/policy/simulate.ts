import { callLabelListSchema } from '@interlock/contracts';
import type { HeldPolicy } from '@interlock/policy';
import { createSimulation, type SimulationReport } from '@interlock/policy-analysis';
import { exitCodes, systemClock } from '@interlock/shell';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { instant, plain, print } from '../../output.ts';
import { entryOf, openCandidate, openPublished, readPolicyState } from '../../policy/bundles.ts';
import { openProgress } from '../../policy/progress.ts';
import { openReplay } from '../../policy/replay.ts';
import { type SimulateResult, simulationText } from '../../policy/simulation-text.ts';
import { spanOf } from '../../policy/span.ts';
import { type CommonOptions, command, wholeNumber } from '../options.ts';

interface SimulateOptions extends CommonOptions {
  since: string;
  until?: string;
  candidate: string;
  agent?: string;
  tool?: string;
  base: 'recorded' | 'current' | number;
  failOn: FailOn;
  limit: number;
  as?: string;
}

const failOns = ['changes', 'wider', 'false-allows', 'never'] as const;
type FailOn = (typeof failOns)[number];
const EXAMPLES = 3;

const NOTES = `
Compares what was decided then (or with --base what that policy says now) with what the candidate says of the same
calls, on the same facts. A call that a person approved counts as asked about. Nothing is changed, nothing is sent.

Exit codes: 0 nothing to stop for, 1 what --fail-on names happened, 2 used wrongly, 3 nobody there to ask.
  --fail-on changes       any call's verdict changes (the default)
  --fail-on wider         a call gets further than before: denied to asked or allowed, asked to allowed
  --fail-on false-allows  the candidate allows a call that a person labelled bad (see interlock policy label)
  --fail-on never         only look
Whatever it names, records of which none could be replayed end with 1, and so does a base that says of its own calls
today another thing than it said then.`;

/** `interlock policy simulate`: recorded calls against a candidate. */
export function simulateCommand(): Command {
  return command(
    'simulate',
    'replay recorded calls against a candidate, and tell whose verdict changes',
    'interlock policy simulate --since 7d --candidate policies --fail-on wider',
  )
    .requiredOption('--candidate <dir>', 'folder of policies, or a bundle that interlock policy build wrote')
    .option('--since <when>', 'calls from then: 7d, 12h, 2026-01-31 or 2026-01-31T08:00:00Z', '7d')
    .option('--until <when>', 'calls up to then (default: now)')
    .option('--agent <agent>', 'of this agent')
    .option('--tool <tool>', 'of this tool')
    .option(
      '--base <policy>',
      'compare with what was "recorded", "current", or a version',
      baseName,
      'recorded',
    )
    .addOption(
      new Option('--fail-on <what>', 'when to end with exit code 1').choices(failOns).default('changes'),
    )
    .option('--limit <n>', 'examples of each kind of change', wholeNumber, EXAMPLES)
    .option('--as <person>', 'who asks')
    .addHelpText('after', NOTES)
    .action(runSimulate);
}

async function runSimulate(options: SimulateOptions): Promise<void> {
  const result = await simulate(options);
  print(options, result, plain(simulationText(result)));
  if (mustFail(options.failOn, result)) process.exitCode = exitCodes.failed;
}

async function simulate(options: SimulateOptions): Promise<SimulateResult> {
  const { agent, tool, limit } = options;
  const beganMs = performance.now();
  const since = (ms = performance.now()) => Math.round(ms - beganMs);
  const took = { compiled: 0, fetched: 0 };
  using progress = openProgress();
  progress.show('compiling the candidate, reading the audit …');
  const span = spanOf(options, systemClock.nowMs());
  const client = await managementClientOf(options);
  const stop = new AbortController();
  const [candidate, base, { labels }, replay] = await ending(
    stop,
    Promise.all([
      openCandidate(options.candidate, options, stop.signal).then((policy) => {
        took.compiled = since();
        return policy;
      }),
      openBase(client, options),
      client.request({ method: 'GET', path: '/v1/labels', reply: callLabelListSchema }),
      openReplay(client, { ...span, agent, tool }).then((opened) => {
        took.fetched = since();
        return opened;
      }),
    ]),
  );
  const simulation = createSimulation({
    candidate: candidate.policy,
    ...(base === undefined ? {} : { base: judgeOf(base) }),
    labels,
    examples: limit,
  });
  const calls = replay.calls();
  let next = await calls.next();
  for (let done = 0; next.done !== true; next = await calls.next()) {
    simulation.take(next.value);
    done += 1;
    progress.show(`${done} calls, at ${instant(next.value.at)} …`);
  }
  return {
    ...span,
    comparedWith: base === undefined ? 'recorded' : { version: base.version, digest: base.digest },
    candidateDigest: candidate.digest,
    ...simulation.report(next.value),
    tookMs: { ...took, total: since() },
  };
}

async function openBase(client: ApiClient, options: SimulateOptions): Promise<HeldPolicy | undefined> {
  if (options.base === 'recorded') return undefined;
  const entry = entryOf(await readPolicyState(client), options.base);
  const { held } = await openPublished(client, entry, options);
  return held;
}

function judgeOf({ policy, digest }: HeldPolicy) {
  return { digest, evaluate: (input: object) => policy.evaluate(input) };
}

/** Waits for work; when it fails, what it has under way is ended. */
async function ending<T>(stop: AbortController, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    stop.abort();
    throw error;
  }
}

function mustFail(failOn: FailOn, report: SimulationReport): boolean {
  const { calls, unreadable, changed, wider, labels, repeated } = report;
  // Records of which none could be replayed prove nothing of the candidate.
  if (failOn !== 'never' && calls === 0 && unreadable.calls > 0) return true;
  // A policy that says something else of the same input decides by something the record does not hold.
  if (failOn !== 'never' && (repeated?.different ?? 0) > 0) return true;
  switch (failOn) {
    case 'changes':
      return changed > 0;
    case 'wider':
      return wider > 0;
    case 'false-allows':
      return (labels?.candidate.falseAllows ?? 0) > 0;
    case 'never':
      return false;
    default:
      return failOn satisfies never;
  }
}

function baseName(text: string): SimulateOptions['base'] {
  const name = text.toLowerCase();
  if (name === 'recorded' || name === 'current') return name;
  if (/^v?[1-9][0-9]{0,9}$/.test(name)) return Number(name.replace('v', ''));
  throw new InvalidArgumentError('It must be "recorded", "current" or a version.');
}
