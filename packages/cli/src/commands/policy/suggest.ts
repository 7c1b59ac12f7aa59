import { callLabelListSchema, type RecordedCall } from '@interlock/contracts';
import { openBundle, policyWith } from '@interlock/policy';
import {
  createGrantCheck,
  createSelection,
  grantsFor,
  type Selection,
  type Suggestion,
  withGrants,
} from '@interlock/policy-analysis';
import { systemClock } from '@interlock/shell';
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { instant, oneLine, print } from '../../output.ts';
import { entryOf, readPolicyState } from '../../policy/bundles.ts';
import { openProgress, type Progress } from '../../policy/progress.ts';
import { openReplay, type ReplayFilter } from '../../policy/replay.ts';
import { type SpanOptions, spanOf, withSpan } from '../../span.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

interface SuggestOptions extends ManagementOptions, SpanOptions {
  since: string;
  agent?: string;
  tool?: string;
  for: Selection;
}

const selections = ['denied', 'judged-good'] as const satisfies Selection[];

const NOTES = `
Reads recorded calls and prints the narrowest grants that would have allowed them: one for each agent and tool, with
the values of their arguments. Nothing is changed: review each grant, and put those you want into policies/data.yaml,
under config.allow_listed. Other rules still deny and ask as before.

  --for denied        calls that no rule allowed (the default), except those that a person labelled bad
  --for judged-good   calls that were not allowed and that a person labelled good (see interlock policy label)`;

/** `interlock policy suggest`: the narrowest grants that would have allowed recorded calls. */
export function suggestCommand(): Command {
  const suggest = managementCommand(
    'suggest',
    'print the narrowest grants that would have allowed recorded calls',
    'interlock policy suggest --since 7d --agent clerk',
  );
  return withSpan(suggest, 'calls', '7d')
    .option('--agent <agent>', 'calls of this agent')
    .option('--tool <tool>', 'calls of this tool')
    .addOption(new Option('--for <calls>', 'the calls to allow').choices(selections).default('denied'))
    .addHelpText('after', NOTES)
    .action(async (options: SuggestOptions) => {
      const result = await runSuggest(options);
      print(options, result, suggestionText(result));
    });
}

/** What `--json` prints. */
interface SuggestResult extends Suggestion {
  since: number;
  until: number;
  /** The policy the grants were added to for the check. */
  policyVersion: number;
  policyDigest: string;
}

async function runSuggest(options: SuggestOptions): Promise<SuggestResult> {
  using progress = openProgress();
  const span = spanOf(options, systemClock.nowMs());
  const client = await managementClientOf(options);
  const { labels } = await client.request({
    method: 'GET',
    path: '/v1/labels',
    reply: callLabelListSchema,
  });
  const entry = entryOf(await readPolicyState(client), 'current');
  const bytes = await client.bytes(`/v1/policy/bundles/${entry.digest}`);
  const before = openBundle(entry, bytes).policy;
  const selected = createSelection(options.for, labels);
  await eachCall(client, { ...span, agent: options.agent, tool: options.tool }, progress, (call) =>
    selected.add(call),
  );
  const found = grantsFor(selected.inputs);
  const after = policyWith(bytes, (own) =>
    withGrants(
      own,
      found.map(({ grant }) => grant),
    ),
  );
  // The calls of every agent and tool: a grant that allows others too must be reported.
  const check = createGrantCheck(selected, found, { before, after });
  await eachCall(client, span, progress, (call) => check.add(call));
  return { ...span, policyVersion: entry.version, policyDigest: entry.digest, ...check.result() };
}

async function eachCall(
  client: ApiClient,
  filter: ReplayFilter,
  progress: Progress,
  add: (call: RecordedCall) => void,
): Promise<void> {
  const replay = await openReplay(client, filter);
  let done = 0;
  for await (const call of replay.calls()) {
    add(call);
    done += 1;
    progress.show(`${done} calls, at ${instant(call.at)} …`);
  }
}

function suggestionText({ grants, wanted, left, becomes, others, since, until }: SuggestResult): string {
  const head = `# ${wanted} calls to allow, ${instant(since)} to ${instant(until)}`;
  if (wanted === 0) return `${head}: no grant is needed.`;
  const listed = grants.map(({ grant, calls, free }) => {
    const remark = free.length === 0 ? '' : `; any value at ${oneLine(free.join(', '))}: review it`;
    return `${indented(`# ${calls} calls${remark}`)}\n${indented(stringify([grant], YAML).trimEnd())}`;
  });
  const { allow, ask, deny, error } = becomes;
  return [
    head,
    ...(left === 0 ? [] : [`# made from the first ${wanted - left}; the other ${left} were only checked`]),
    `# with these grants ${allow} are allowed, ${ask} held, ${deny + error} still denied by other rules`,
    others.wider === 0
      ? `# the verdict of none of the ${others.calls} other recorded calls gets wider`
      : `# the verdict of ${others.wider} of the ${others.calls} other recorded calls gets wider, too: ${others.examples.join(', ')}`,
    'config:',
    '  allow_listed:',
    ...listed,
  ].join('\n');
}

/** A text of several lines is written on one line: no value of a call can look like a grant. */
const YAML = { lineWidth: 110, blockQuote: false } as const;

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
