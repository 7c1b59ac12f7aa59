import { callLabelListSchema } from '@interlock/contracts';
import type { LoadedPolicy } from '@interlock/policy';
import { createSimulation, type SimulationReport } from '@interlock/policy-analysis';
import { systemClock } from '@interlock/shell';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { exitCodes } from '../../exit-codes.ts';
import { instant, print } from '../../output.ts';
import { entryOf, openCandidate, openPublished, readPolicyState } from '../../policy/bundles.ts';
import { openProgress } from '../../policy/progress.ts';
import { openReplay } from '../../policy/replay.ts';
import { type SimulateResult, simulationMarkdown, simulationText } from '../../policy/simulation-text.ts';
import { type SpanOptions, spanOf, withSpan } from '../../span.ts';
import { type ManagementOptions, managementCommand, wholeNumber } from '../options.ts';

interface SimulateOptions extends ManagementOptions, SpanOptions {
  since: string;
  candidate?: string;
  markdown?: boolean;
  agent?: string;
  tool?: string;
  base: 'recorded' | 'current' | number;
  failOn: FailOn;
  limit: number;
}

const failOns = ['changes', 'wider', 'false-allows', 'never'] as const;
type FailOn = (typeof failOns)[number];
const EXAMPLES = 3;

const NOTES = `
Compares the recorded decisions (or with --base the decisions of that policy) with those of the candidate about the same
calls, on the same facts. A call that a person approved counts as held, and so does one that
is held still. Nothing is changed, and nothing is sent.

Exit codes: 0 passed, 1 the condition of --fail-on holds, 2 wrong usage, 3 Interlock cannot be reached.
  --fail-on changes       the verdict of a call changes (the default)
  --fail-on wider         a call gets further than before: from deny to ask or allow, or from ask to allow
  --fail-on false-allows  the candidate allows a call that a person labelled bad (see interlock policy label)
  --fail-on never         no condition
Except with never, the exit code is also 1 when no record could be replayed, and when the base decides a call of its own
otherwise than it is recorded.`;

/** `interlock policy simulate`: decides recorded calls again by a candidate. */
export function simulateCommand(): Command {
  const simulate = managementCommand(
    'simulate',
    'decide recorded calls again by a candidate, and list the verdicts that change',
    'interlock policy simulate --since 7d --fail-on wider',
  );
  return withSpan(simulate, 'calls', '7d')
    .option(
      '--candidate <dir>',
      'folder of policies, or a bundle of interlock policy build (default: the policies of the configuration)',
    )
    .option('--agent <agent>', 'calls of this agent')
    .option('--tool <tool>', 'calls of this tool')
    .option(
      '--base <policy>',
      'the decisions to compare with: "recorded", those of "current", or of a version',
      baseName,
      'recorded',
    )
    .addOption(
      new Option('--fail-on <what>', 'the condition for exit code 1').choices(failOns).default('changes'),
    )
    .option('--markdown', 'print the report as Markdown, for a pull request')
    .option('--limit <n>', 'how many examples of each kind of change are listed', wholeNumber, EXAMPLES)
    .addHelpText('after', NOTES)
    .action(runSimulate);
}

async function runSimulate(options: SimulateOptions): Promise<void> {
  const result = await runSimulation(options);
  print(options, result, options.markdown === true ? simulationMarkdown(result) : simulationText(result));
  if (mustFail(options.failOn, result)) process.exitCode = exitCodes.failed;
}

async function runSimulation(options: SimulateOptions): Promise<SimulateResult> {
  const { agent, tool, limit } = options;
  const beganMs = performance.now();
  const since = (ms = performance.now()) => Math.round(ms - beganMs);
  const took = { compiled: 0, fetched: 0 };
  using progress = openProgress();
  progress.show('compiling the candidate, reading the audit trail …');
  const span = spanOf(options, systemClock.nowMs());
  const client = await managementClientOf(options);
  const stop = new AbortController();
  const [candidate, base, { labels }, replay] = await abortingRest(
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
    candidate: candidate.held.policy,
    ...(base === undefined ? {} : { base: judgeOf(base) }),
    labels,
    examples: limit,
  });
  const calls = replay.calls();
  let next = await calls.next();
  for (let done = 0; next.done !== true; next = await calls.next()) {
    simulation.add(next.value);
    done += 1;
    progress.show(`${done} calls, at ${instant(next.value.at)} …`);
  }
  return {
    ...span,
    comparedWith: base === undefined ? 'recorded' : { version: base.version, digest: base.digest },
    candidateSource: candidate.source,
    candidateDigest: candidate.held.digest,
    ...simulation.report(next.value),
    tookMs: { ...took, total: since() },
  };
}

async function openBase(client: ApiClient, options: SimulateOptions): Promise<LoadedPolicy | undefined> {
  if (options.base === 'recorded') return undefined;
  const entry = entryOf(await readPolicyState(client), options.base);
  const { held } = await openPublished(client, entry, options);
  return held;
}

function judgeOf({ policy, digest }: LoadedPolicy) {
  return { digest, evaluate: (input: object) => policy.evaluate(input) };
}

/** Waits for work; when one part fails, the others are aborted. */
async function abortingRest<T>(stop: AbortController, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    stop.abort();
    throw error;
  }
}

function mustFail(failOn: FailOn, report: SimulationReport): boolean {
  const { calls, unreadable, changed, wider, labels, repeated } = report;
  // When no record could be replayed, nothing is known of the candidate.
  if (failOn !== 'never' && calls === 0 && unreadable.calls > 0) return true;
  // A policy that decides the same input differently depends on something that is not recorded.
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
  throw new InvalidArgumentError('Write "recorded", "current" or a version.');
}
