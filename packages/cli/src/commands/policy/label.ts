import { type CallLabelEntry, callLabelListSchema, rpcSchemas } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import { type Command, Option } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { usage } from '../../exit-codes.ts';
import { instant, print, table } from '../../output.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

interface LabelOptions extends ManagementOptions {
  list?: boolean;
  note?: string;
}

const NOTES = `
good  it was right to carry the call out, or would have been
bad   it should not be carried out

The last label of a call counts. interlock policy simulate measures candidates by labels: it counts calls labelled bad
that the candidate allows, and calls labelled good that it stops.`;

/** `interlock policy label`: records a person's label of a call. */
export function labelCommand(): Command {
  return managementCommand(
    'label',
    'label a recorded call as good or bad, or list the labels',
    'interlock policy label CALL bad --note "she never asked for that"',
  )
    .argument('[call]', 'the call')
    .argument('[label]', '"good" or "bad"')
    .option('--note <text>', 'the reason, for the record')
    .addOption(new Option('--list', 'list the labels').conflicts('note'))
    .addHelpText('after', NOTES)
    .action(async (call: string | undefined, label: string | undefined, options: LabelOptions) => {
      const client = await managementClientOf(options);
      const { labels } =
        options.list === true ? await listLabels(client, call) : await setLabel(client, call, label, options);
      print(options, { labels }, textOf(labels));
    });
}

async function listLabels(client: ApiClient, call: string | undefined) {
  if (call !== undefined) throw usage('--list takes no call.');
  return await client.request({ method: 'GET', path: '/v1/labels', reply: callLabelListSchema });
}

async function setLabel(
  client: ApiClient,
  call: string | undefined,
  label: string | undefined,
  { note }: LabelOptions,
) {
  if (call === undefined) throw usage('Name a call, or list the labels with --list.');
  if (label !== 'good' && label !== 'bad') throw usage('The label must be "good" or "bad".');
  const path = `/v1/labels/${await tenantOf(client, call)}/${encodeURIComponent(call)}`;
  const body = { label, ...(note === undefined ? {} : { note }) };
  return await client.request({ method: 'PUT', path, body, reply: callLabelListSchema });
}

/** Returns the tenant of a call. Throws `call_unknown`. */
async function tenantOf(client: ApiClient, call: string): Promise<string> {
  const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
  const { records } = await client.request({ method: 'GET', path, reply: rpcSchemas['auditor.show'].reply });
  const tenant = records.find((record) => record.tenant !== undefined)?.tenant;
  if (tenant !== undefined) return tenant;
  throw new Failure('call_unknown', `No record of ${call} exists.`, {
    next: 'Find calls with interlock audit search.',
  });
}

function textOf(labels: readonly CallLabelEntry[]): string {
  if (labels.length === 0) return 'No call has a label.';
  const rows = labels.map(({ at, tenant, call, label, by, note }) => [
    instant(at),
    `${tenant}/${call}`,
    label,
    by,
    note,
  ]);
  return table(['time', 'call', 'label', 'by', 'note'], rows);
}
