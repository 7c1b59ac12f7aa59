import { type AuditRecord, type AuditVerification, rpcSchemas } from '@interlock/contracts';
import { systemClock } from '@interlock/shell';
import { Command } from 'commander';
import { z } from 'zod';
import { type ApiClient, managementClientOf } from '../client.ts';
import { exitCodes } from '../exit-codes.ts';
import { instant, print, quoted, table } from '../output.ts';
import { openProgress } from '../policy/progress.ts';
import { namedSpanOf, type SpanOptions, withSpan } from '../span.ts';
import { type ManagementOptions, managementCommand, wholeNumber } from './options.ts';

interface AuditOptions extends ManagementOptions, SpanOptions {
  agent?: string;
  tool?: string;
  step?: string;
  limit?: number;
}

/** `interlock audit`: reads the audit trail and checks that it is intact. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('read and check the audit trail')
    .addCommand(showCommand())
    .addCommand(searchCommand())
    .addCommand(verifyCommand())
    .addHelpText('after', '\nExample:\n  $ interlock audit verify');
}

function showCommand(): Command {
  return managementCommand(
    'show',
    'print everything that is recorded of one call',
    'interlock audit show CALL',
  )
    .argument('<call>', 'the call')
    .action(async (call: string, options: AuditOptions) => {
      const client = await managementClientOf(options);
      const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
      const shown = await client.request({ method: 'GET', path, reply: rpcSchemas['auditor.show'].reply });
      const records = shown.records.map(({ stream, sequence, step, at, event, evidence }) => {
        const body = quoted(evidence === undefined ? { event } : { event, evidence });
        return `${instant(at)}  ${step}  (${stream} ${sequence})\n${body}`;
      });
      print(
        options,
        shown,
        [...records, ...pointerOf(call, shown)].join('\n\n') || 'No record of this call exists.',
      );
    });
}

const refusedSchema = z.object({ by: z.literal('decider'), code: z.string() });

/** What policy refused is explained elsewhere: the record has the verdict, and not what would have changed it. */
function pointerOf(call: string, { records }: { records: readonly AuditRecord[] }): string[] {
  const refused = records.find(({ step }) => step === 'refused');
  const code = refusedSchema.safeParse(refused?.event).data?.code;
  const explain = `interlock policy explain ${call}`;
  switch (code) {
    case 'policy_default':
      return [`No rule allows this call. The narrowest grant for it: ${explain}`];
    case 'policy_denied':
    case 'approval_insufficient':
      return [`What the rules said of it, and what would change that: ${explain}`];
    default:
      return [];
  }
}

function searchCommand(): Command {
  const search = managementCommand(
    'search',
    'list records',
    'interlock audit search --step refused --since 1h',
  );
  return withSpan(search, 'records')
    .option('--agent <agent>', 'records of this agent')
    .option('--tool <tool>', 'records of this tool')
    .option('--step <step>', 'records of this step: started, settled, refused, …')
    .option('--limit <n>', 'the highest number of records (default: 100)', wholeNumber)
    .action(async (options: AuditOptions) => {
      const client = await managementClientOf(options);
      const { agent, tool, step, limit } = options;
      const { since, until } = namedSpanOf(options, systemClock.nowMs());
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ agent, tool, step, since, until, limit }))
        if (value !== undefined) query.set(name, String(value));
      const path = `/v1/audit/search?${query}`;
      const found = await client.request({ method: 'GET', path, reply: rpcSchemas['auditor.search'].reply });
      const rows = found.records.map((record) => [
        instant(record.at),
        record.step,
        record.call,
        record.agent === undefined ? '' : `${record.tenant}/${record.agent}`,
        record.tool,
      ]);
      print(options, found, table(['time', 'step', 'call', 'agent', 'tool'], rows));
    });
}

function verifyCommand(): Command {
  return managementCommand(
    'verify',
    'check that no record was edited, dropped, reordered or cut off',
    'interlock audit verify',
  ).action(async (options: AuditOptions) => {
    const verification = await verify(await managementClientOf(options));
    print(options, verification, verdictOf(verification));
    if (!verification.intact) process.exitCode = exitCodes.failed;
  });
}

/** Asks for a check again and again until it has ended, and shows on a terminal how far it is. */
async function verify(client: ApiClient): Promise<AuditVerification> {
  using progress = openProgress();
  const { reply } = rpcSchemas['auditor.verify'];
  for (let run: string | undefined; ; ) {
    const body = { waitMs: PROGRESS_MS, ...(run === undefined ? {} : { run }) };
    const answer = await client.request({ method: 'POST', path: '/v1/audit/verify', body, reply });
    if ('intact' in answer) return answer;
    run = answer.run;
    progress.show(`checked ${answer.checked} of about ${answer.expected} records`);
  }
}

/** As often as a person wants to know whether something still happens. */
const PROGRESS_MS = 1_000;

function verdictOf({ intact, checked, anchors, problems }: AuditVerification): string {
  const { LEDGER, APPROVALS, CONTROL } = checked;
  const counts = `${LEDGER} ledger events, ${APPROVALS} approval events, ${CONTROL} management operations, ${anchors} checkpoints`;
  const found = problems.map(
    ({ kind, stream, sequence, detail }) => `  ${kind}  ${stream} ${sequence}: ${detail}`,
  );
  return [`${intact ? 'intact' : 'NOT INTACT'}: ${counts}`, ...found].join('\n');
}
