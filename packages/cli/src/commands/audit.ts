import { type AuditVerification, rpcSchemas } from '@interlock/contracts';
import { exitCodes } from '@interlock/shell';
import { Command } from 'commander';
import { managementClientOf } from '../client.ts';
import { instant, plain, print, table } from '../output.ts';
import { type CommonOptions, command, wholeNumber } from './options.ts';

interface AuditOptions extends CommonOptions {
  as?: string;
  agent?: string;
  tool?: string;
  step?: string;
  since?: number;
  until?: number;
  limit?: number;
}

/** `interlock audit`: what happened, and whether the record of it is whole. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('read and check the audit trail')
    .addCommand(showCommand())
    .addCommand(searchCommand())
    .addCommand(verifyCommand())
    .addHelpText('after', '\nExample:\n  $ interlock audit verify');
}

function showCommand(): Command {
  return asking('show', 'show everything about one call', 'interlock audit show CALL')
    .argument('<call>', 'the call')
    .action(async (call: string, options: AuditOptions) => {
      const client = await managementClientOf(options);
      const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
      const shown = await client.request({ method: 'GET', path, reply: rpcSchemas['auditor.show'].reply });
      const records = shown.records.map(({ stream, sequence, step, at, event, evidence }) => {
        const body = JSON.stringify(evidence === undefined ? { event } : { event, evidence }, null, 2);
        return `${instant(at)}  ${step}  (${stream} ${sequence})\n${body.replaceAll(/^/gm, '  ')}`;
      });
      print(options, shown, plain(records.join('\n\n')) || 'Nothing is recorded of this call.');
    });
}

function searchCommand(): Command {
  return asking('search', 'find records', 'interlock audit search --agent helper --step refused')
    .option('--agent <agent>', 'of this agent')
    .option('--tool <tool>', 'of this tool')
    .option('--step <step>', 'of this step: started, settled, refused, …')
    .option('--since <ms>', 'from this instant, milliseconds since 1970', wholeNumber)
    .option('--until <ms>', 'up to this instant', wholeNumber)
    .option('--limit <n>', 'at most so many (default: 100)', wholeNumber)
    .action(async (options: AuditOptions) => {
      const client = await managementClientOf(options);
      const { agent, tool, step, since, until, limit } = options;
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
  return asking(
    'verify',
    'check that nothing was edited, dropped, reordered or cut off',
    'interlock audit verify',
  ).action(async (options: AuditOptions) => {
    const client = await managementClientOf(options);
    const reply = rpcSchemas['auditor.verify'].reply;
    const verification = await client.request({ method: 'POST', path: '/v1/audit/verify', body: {}, reply });
    print(options, verification, verdictOf(verification));
    if (!verification.intact) process.exitCode = exitCodes.failed;
  });
}

function verdictOf({ intact, checked, anchors, problems }: AuditVerification): string {
  const { LEDGER, APPROVALS, CONTROL } = checked;
  const counts = `${LEDGER} of the ledger, ${APPROVALS} approvals, ${CONTROL} acts, ${anchors} checkpoints`;
  const found = problems.map(
    ({ kind, stream, sequence, detail }) => `  ${kind}  ${stream} ${sequence}: ${detail}`,
  );
  return [`${intact ? 'intact' : 'NOT INTACT'}: ${counts}`, ...found].join('\n');
}

function asking(name: string, description: string, example: string): Command {
  return command(name, description, example).option('--as <person>', 'who asks');
}
