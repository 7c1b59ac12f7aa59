import { policyStateSchema } from '@interlock/contracts';
import {
  collectDisagreements,
  type DisagreementGroup,
  type DisagreementReport,
} from '@interlock/policy-analysis';
import { systemClock } from '@interlock/shell';
import { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { instant, plain, print, table } from '../../output.ts';
import { readPolicyState } from '../../policy/bundles.ts';
import { bundleFor, submit, untilTaken } from '../../policy/publishing.ts';
import { openReplay } from '../../policy/replay.ts';
import { spanOf } from '../../policy/span.ts';
import { decidersText, entryText } from '../../policy/state-text.ts';
import { type CommonOptions, command } from '../options.ts';

interface ActorOptions extends CommonOptions {
  as?: string;
}

interface StartOptions extends ActorOptions {
  reason?: string;
  bundle?: string;
  signature?: string;
}

interface ReportOptions extends ActorOptions {
  since: string;
  until?: string;
  all?: boolean;
}

/** What `shadow report --json` prints. */
interface Told extends DisagreementReport {
  since: number;
  until: number;
  candidate: { version: number; digest: string } | undefined;
}

/** `interlock policy shadow`: a candidate decides beside the policy, without effect. */
export function shadowCommand(): Command {
  return new Command('shadow')
    .description('let a candidate decide beside the policy, without effect, and tell where it disagrees')
    .addCommand(startCommand())
    .addCommand(statusCommand())
    .addCommand(stopCommand())
    .addCommand(reportCommand());
}

function startCommand(): Command {
  return command(
    'start',
    'publish policies as the candidate',
    'interlock policy shadow start examples/quickstart/policies',
  )
    .argument('[dir]', "folder of policies; the configuration's when left out")
    .option('--reason <text>', 'why, for the record')
    .option('--bundle <file>', 'a bundle that interlock policy build wrote, instead of a folder')
    .option('--signature <file>', 'its signature (default: the bundle with .jws added)')
    .option('--as <person>', 'who acts')
    .action(async (dir: string | undefined, options: StartOptions) => {
      const signed = await bundleFor(dir, options);
      const client = await managementClientOf(options);
      const { entry } = await submit(client, signed, { as: 'candidate', reason: options.reason });
      const deciders = await untilTaken(client, 'candidate', entry);
      const { version, digest } = entry;
      const text = `The candidate is ${entryText(entry)}.\n\n${decidersText(deciders)}`;
      print(options, { version, digest, deciders }, text);
    });
}

function statusCommand(): Command {
  return command('status', 'tell which candidate is asked, and who asks it', 'interlock policy shadow status')
    .option('--as <person>', 'who asks')
    .action(async (options: ActorOptions) => {
      const { candidate, deciders } = await readPolicyState(await managementClientOf(options));
      const head =
        candidate === undefined ? 'There is no candidate.' : `The candidate is ${entryText(candidate)}.`;
      print(options, { candidate: candidate ?? null, deciders }, `${head}\n\n${decidersText(deciders)}`);
    });
}

function stopCommand(): Command {
  return command('stop', 'take the candidate away', 'interlock policy shadow stop')
    .option('--as <person>', 'who acts')
    .action(async (options: ActorOptions) => {
      const client = await managementClientOf(options);
      const reply = policyStateSchema;
      const state = await client.request({ method: 'DELETE', path: '/v1/policy/candidate', reply });
      print(options, state, 'There is no candidate any more. What it said stays on record.');
    });
}

function reportCommand(): Command {
  return command(
    'report',
    'tell where the candidate disagreed, from the audit',
    'interlock policy shadow report --since 1d',
  )
    .option('--since <when>', 'calls from then: 7d, 12h, 2026-01-31 or 2026-01-31T08:00:00Z', '7d')
    .option('--until <when>', 'calls up to then (default: now)')
    .option('--all', 'also what earlier candidates said')
    .option('--as <person>', 'who asks')
    .action(async (options: ReportOptions) => {
      const told = await tell(options);
      print(options, told, plain(reportText(told)));
    });
}

async function tell(options: ReportOptions): Promise<Told> {
  const span = spanOf(options, systemClock.nowMs());
  const client = await managementClientOf(options);
  const { candidate } = await readPolicyState(client);
  const collected = collectDisagreements(options.all === true ? undefined : candidate?.digest);
  const replay = await openReplay(client, span);
  for await (const recorded of replay.calls()) collected.take(recorded);
  const named =
    candidate === undefined ? undefined : { version: candidate.version, digest: candidate.digest };
  return { ...span, candidate: named, ...collected.report() };
}

function reportText({ since, until, calls, disagreements, groups, ungrouped }: Told): string {
  const head = `${calls} decided calls, ${instant(since)} to ${instant(until)}: the candidate disagreed about ${disagreements}.`;
  if (groups.length === 0) return head;
  const rows = groups.map((group) => [
    `${group.from} -> ${group.to}`,
    group.tool,
    whyOf(group),
    `v${group.candidate.version}`,
    group.calls,
    group.examples.map(({ call }) => call).join(', '),
  ]);
  const more = ungrouped === 0 ? '' : `\n… and ${ungrouped} more.`;
  return `${head}\n\n${table(['change', 'tool', 'rules', 'candidate', 'calls', 'such as'], rows)}${more}`;
}

function whyOf({ from, to, rulesBefore, rulesNow }: DisagreementGroup): string {
  return `${rulesText(from, rulesBefore)} -> ${rulesText(to, rulesNow)}`;
}

function rulesText(verdict: string, rules: readonly string[]): string {
  if (rules.length > 0) return rules.join('+');
  if (verdict === 'deny') return '(no rule allows it)';
  return verdict === 'ask' ? '(asked, approved)' : `(${verdict})`;
}
