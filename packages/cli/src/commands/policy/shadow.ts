import { policyStateSchema } from '@interlock/contracts';
import {
  collectDisagreements,
  type DisagreementGroup,
  type DisagreementReport,
} from '@interlock/policy-analysis';
import { systemClock } from '@interlock/shell';
import { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { instant, print, table } from '../../output.ts';
import { readPolicyState } from '../../policy/bundles.ts';
import { bundleFor, submit, untilUsed } from '../../policy/publishing.ts';
import { openReplay } from '../../policy/replay.ts';
import { decidersText, entryText } from '../../policy/state-text.ts';
import { type SpanOptions, spanOf, withSpan } from '../../span.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

interface StartOptions extends ManagementOptions {
  reason?: string;
  bundle?: string;
  signature?: string;
}

interface ReportOptions extends ManagementOptions, SpanOptions {
  since: string;
  all?: boolean;
}

/** What `shadow report --json` prints. */
interface ShadowReport extends DisagreementReport {
  since: number;
  until: number;
  candidate: { version: number; digest: string } | undefined;
}

/** `interlock policy shadow`: a candidate decides every call too, without effect. */
export function shadowCommand(): Command {
  return new Command('shadow')
    .description('let a candidate decide every call too, without effect, and report where it disagrees')
    .addCommand(startCommand())
    .addCommand(statusCommand())
    .addCommand(stopCommand())
    .addCommand(reportCommand());
}

function startCommand(): Command {
  return managementCommand(
    'start',
    'publish policies as the candidate',
    'interlock policy shadow start my-interlock/policies',
  )
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .option('--reason <text>', 'the reason, for the record')
    .option('--bundle <file>', 'publish this bundle of interlock policy build instead of a folder')
    .option('--signature <file>', 'file of its signature (default: the name of the bundle with .jws added)')
    .action(async (dir: string | undefined, options: StartOptions) => {
      const signed = await bundleFor(dir, options);
      const client = await managementClientOf(options);
      const { entry } = await submit(client, signed, { as: 'candidate', reason: options.reason });
      const deciders = await untilUsed(client, 'candidate', entry);
      const { version, digest } = entry;
      const text = `The candidate is ${entryText(entry)}.\n\n${decidersText(deciders)}`;
      print(options, { version, digest, deciders }, text);
    });
}

function statusCommand(): Command {
  return managementCommand(
    'status',
    'show the candidate and which deciders use it',
    'interlock policy shadow status',
  ).action(async (options: ManagementOptions) => {
    const { candidate, deciders } = await readPolicyState(await managementClientOf(options));
    const head =
      candidate === undefined ? 'No candidate is published.' : `The candidate is ${entryText(candidate)}.`;
    print(options, { candidate: candidate ?? null, deciders }, `${head}\n\n${decidersText(deciders)}`);
  });
}

function stopCommand(): Command {
  return managementCommand('stop', 'withdraw the candidate', 'interlock policy shadow stop').action(
    async (options: ManagementOptions) => {
      const client = await managementClientOf(options);
      const reply = policyStateSchema;
      const state = await client.request({ method: 'DELETE', path: '/v1/policy/candidate', reply });
      print(options, state, 'The candidate is withdrawn. Its recorded verdicts stay in the audit trail.');
    },
  );
}

function reportCommand(): Command {
  const report = managementCommand(
    'report',
    'list the recorded calls that the candidate would have decided otherwise',
    'interlock policy shadow report --since 1d',
  );
  return withSpan(report, 'calls', '7d')
    .option('--all', 'include the verdicts of earlier candidates')
    .action(async (options: ReportOptions) => {
      const result = await collect(options);
      print(options, result, reportText(result));
    });
}

async function collect(options: ReportOptions): Promise<ShadowReport> {
  const span = spanOf(options, systemClock.nowMs());
  const client = await managementClientOf(options);
  const { candidate } = await readPolicyState(client);
  const collected = collectDisagreements(options.all === true ? undefined : candidate?.digest);
  const replay = await openReplay(client, span);
  for await (const recorded of replay.calls()) collected.add(recorded);
  const named =
    candidate === undefined ? undefined : { version: candidate.version, digest: candidate.digest };
  return { ...span, candidate: named, ...collected.report() };
}

function reportText({ since, until, calls, disagreements, groups, ungrouped }: ShadowReport): string {
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
  return `${head}\n\n${table(['change', 'tool', 'rules', 'candidate', 'calls', 'for example'], rows)}${more}`;
}

function whyOf({ from, to, rulesBefore, rulesNow }: DisagreementGroup): string {
  return `${rulesText(from, rulesBefore)} -> ${rulesText(to, rulesNow)}`;
}

function rulesText(verdict: string, rules: readonly string[]): string {
  if (rules.length > 0) return rules.join('+');
  if (verdict === 'deny') return '(no rule allows it)';
  return verdict === 'ask' ? '(held, approved)' : `(${verdict})`;
}
