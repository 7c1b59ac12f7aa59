import { type CallLabelEntry, callLabelListSchema, rpcSchemas } from '@interlock/contracts';
import { Failure, usage } from '@interlock/shell';
import { type Command, Option } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { instant, plain, print, table } from '../../output.ts';
import { type CommonOptions, command } from '../options.ts';

interface LabelOptions extends CommonOptions {
  list?: boolean;
  note?: string;
  as?: string;
}

const NOTES = `
good  it was right to carry the call out, or would have been
bad   it should not be carried out

What is said last counts. Candidates are measured by it: interlock policy simulate counts calls that people judged bad
and the candidate allows, and calls judged good that it stops.`;

/** `interlock policy label`: a person's label of a recorded call. */
export function labelCommand(): Command {
  return command(
    'label',
    'judge a recorded call, or list what was judged',
    'interlock policy label CALL bad --note "she never asked for that"',
  )
    .argument('[call]', 'the call')
    .argument('[label]', '"good" or "bad"')
    .option('--note <text>', 'why')
    .addOption(new Option('--list', 'list what was judged').conflicts('note'))
    .option('--as <person>', 'who judges')
    .addHelpText('after', NOTES)
    .action(async (call: string | undefined, label: string | undefined, options: LabelOptions) => {
      const client = await managementClientOf(options);
      const { labels } =
        options.list === true ? await listed(client, call) : await judge(client, call, label, options);
      print(options, { labels }, plain(textOf(labels)));
    });
}

async function listed(client: ApiClient, call: string | undefined) {
  if (call !== undefined) throw usage('--list takes no call.');
  return await client.request({ method: 'GET', path: '/v1/labels', reply: callLabelListSchema });
}

async function judge(
  client: ApiClient,
  call: string | undefined,
  label: string | undefined,
  { note }: LabelOptions,
) {
  if (call === undefined) throw usage('Name a call, or --list.');
  if (label !== 'good' && label !== 'bad') throw usage('Judge the call "good" or "bad".');
  const path = `/v1/labels/${await tenantOf(client, call)}/${encodeURIComponent(call)}`;
  const body = { label, ...(note === undefined ? {} : { note }) };
  return await client.request({ method: 'PUT', path, body, reply: callLabelListSchema });
}

/** Returns whose call it was. Throws `call_unknown`. */
async function tenantOf(client: ApiClient, call: string): Promise<string> {
  const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
  const { records } = await client.request({ method: 'GET', path, reply: rpcSchemas['auditor.show'].reply });
  const tenant = records.find((record) => record.tenant !== undefined)?.tenant;
  if (tenant !== undefined) return tenant;
  throw new Failure('call_unknown', `Nothing is recorded of ${call}.`, {
    next: 'Find calls with interlock audit search.',
  });
}

function textOf(labels: readonly CallLabelEntry[]): string {
  if (labels.length === 0) return 'Nobody has judged a call yet.';
  const rows = labels.map(({ at, tenant, call, label, by, note }) => [
    instant(at),
    `${tenant}/${call}`,
    label,
    by,
    note,
  ]);
  return table(['time', 'call', 'label', 'by', 'note'], rows);
}
