import { callLabelListSchema, type RecordedCall } from '@interlock/contracts';
import { openBundle, policyWith } from '@interlock/policy';
import {
  createCheck,
  createWanted,
  grantsFor,
  type Suggestion,
  type Wish,
  withGrants,
} from '@interlock/policy-analysis';
import { systemClock } from '@interlock/shell';
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { instant, oneLine, plain, print } from '../../output.ts';
import { entryOf, readPolicyState } from '../../policy/bundles.ts';
import { openProgress, type Progress } from '../../policy/progress.ts';
import { openReplay, type Span } from '../../policy/replay.ts';
import { spanOf } from '../../policy/span.ts';
import { type CommonOptions, command } from '../options.ts';

interface SuggestOptions extends CommonOptions {
  since: string;
  until?: string;
  agent?: string;
  tool?: string;
  for: Wish;
  as?: string;
}

const wishes = ['denied', 'judged-good'] as const satisfies Wish[];

const NOTES = `
Reads recorded calls and writes the narrowest grants that would have allowed them: one for each agent and tool, with
the values their arguments had. Nothing is changed: look at each grant and put those you mean into policies/data.yaml,
under config.allow_listed. What other rules deny or ask about stays as it is.

  --for denied        calls that no rule allowed (the default), but not those a person judged bad
  --for judged-good   calls that were not allowed and that a person judged good (see interlock policy label)`;

/** `interlock policy suggest`: the narrowest grants that would have allowed recorded calls. */
export function suggestCommand(): Command {
  return command(
    'suggest',
    'write the narrowest grants that would have allowed recorded calls',
    'interlock policy suggest --since 7d --agent clerk',
  )
    .option('--since <when>', 'calls from then: 7d, 12h, 2026-01-31 or 2026-01-31T08:00:00Z', '7d')
    .option('--until <when>', 'calls up to then (default: now)')
    .option('--agent <agent>', 'of this agent')
    .option('--tool <tool>', 'of this tool')
    .addOption(new Option('--for <calls>', 'which calls are to be allowed').choices(wishes).default('denied'))
    .option('--as <person>', 'who asks')
    .addHelpText('after', NOTES)
    .action(async (options: SuggestOptions) => {
      const result = await suggest(options);
      print(options, result, plain(suggestionText(result)));
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

async function suggest(options: SuggestOptions): Promise<SuggestResult> {
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
  const wanted = createWanted(options.for, labels);
  await eachCall(client, { ...span, agent: options.agent, tool: options.tool }, progress, (call) =>
    wanted.take(call),
  );
  const found = grantsFor(wanted.inputs);
  const after = policyWith(bytes, (own) =>
    withGrants(
      own,
      found.map(({ grant }) => grant),
    ),
  );
  // Every agent's and every tool's calls: a grant that reaches beyond its own must show.
  const check = createCheck(wanted, found, { before, after });
  await eachCall(client, span, progress, (call) => check.take(call));
  return { ...span, policyVersion: entry.version, policyDigest: entry.digest, ...check.result() };
}

async function eachCall(
  client: ApiClient,
  span: Span,
  progress: Progress,
  take: (call: RecordedCall) => void,
): Promise<void> {
  const replay = await openReplay(client, span);
  let done = 0;
  for await (const call of replay.calls()) {
    take(call);
    done += 1;
    progress.show(`${done} calls, at ${instant(call.at)} …`);
  }
}

function suggestionText({ grants, wanted, left, becomes, others, since, until }: SuggestResult): string {
  const head = `# ${wanted} calls to allow, ${instant(since)} to ${instant(until)}`;
  if (wanted === 0) return `${head}: there is nothing to grant.`;
  const listed = grants.map(({ grant, calls, free }) => {
    const remark = free.length === 0 ? '' : `; any value at ${oneLine(free.join(', '))}: look at it yourself`;
    return `${indented(`# ${calls} calls${remark}`)}\n${indented(stringify([grant], YAML).trimEnd())}`;
  });
  const { allow, ask, deny, error } = becomes;
  return [
    head,
    ...(left === 0 ? [] : [`# made from the first ${wanted - left}; ${left} more were only checked`]),
    `# with these grants ${allow} are allowed, ${ask} asked about, ${deny + error} still denied by other rules`,
    others.wider === 0
      ? `# none of the ${others.calls} other recorded calls gets further`
      : `# ${others.wider} of the ${others.calls} other recorded calls get further, too: ${others.examples.join(', ')}`,
    'config:',
    '  allow_listed:',
    ...listed,
  ].join('\n');
}

/** A text of several lines is written as one: no value of a call looks like a grant. */
const YAML = { lineWidth: 110, blockQuote: false } as const;

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
