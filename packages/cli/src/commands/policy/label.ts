import { type JudgementEntry, judgementListSchema, rpcSchemas } from '@interlock/contracts';
import { Failure, usage } from '@interlock/shell';
import { type Command, Option } from 'commander';
import { consoleOf, type Door } from '../../client.ts';
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

/** `interlock policy label`: a person's judgement of a recorded call. */
export function labelCommand(): Command {
  return command(
    'label',
    'judge a recorded call, or list what was judged',
    'interlock policy label CALL bad --note "she never asked for that"',
  )
    .argument('[call]', 'the call')
    .argument('[judgement]', '"good" or "bad"')
    .option('--note <text>', 'why')
    .addOption(new Option('--list', 'list what was judged').conflicts('note'))
    .option('--as <person>', 'who judges')
    .addHelpText('after', NOTES)
    .action(async (call: string | undefined, judgement: string | undefined, options: LabelOptions) => {
      const door = await consoleOf(options);
      const { judgements } =
        options.list === true ? await listed(door, call) : await judge(door, call, judgement, options);
      print(options, { judgements }, plain(textOf(judgements)));
    });
}

async function listed(door: Door, call: string | undefined) {
  if (call !== undefined) throw usage('--list takes no call.');
  return await door.ask({ method: 'GET', path: '/v1/judgements', reply: judgementListSchema });
}

async function judge(
  door: Door,
  call: string | undefined,
  judgement: string | undefined,
  { note }: LabelOptions,
) {
  if (call === undefined) throw usage('Name a call, or --list.');
  if (judgement !== 'good' && judgement !== 'bad') throw usage('Judge the call "good" or "bad".');
  const path = `/v1/judgements/${await tenantOf(door, call)}/${encodeURIComponent(call)}`;
  const body = { judgement, ...(note === undefined ? {} : { note }) };
  return await door.ask({ method: 'PUT', path, body, reply: judgementListSchema });
}

/** Returns whose call it was. Throws `call_unknown`. */
async function tenantOf(door: Door, call: string): Promise<string> {
  const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
  const { records } = await door.ask({ method: 'GET', path, reply: rpcSchemas['auditor.show'].reply });
  const tenant = records.find((record) => record.tenant !== undefined)?.tenant;
  if (tenant !== undefined) return tenant;
  throw new Failure('call_unknown', `Nothing is recorded of ${call}.`, {
    next: 'Find calls with interlock audit search.',
  });
}

function textOf(judgements: readonly JudgementEntry[]): string {
  if (judgements.length === 0) return 'Nobody has judged a call yet.';
  const rows = judgements.map(({ at, tenant, call, judgement, by, note }) => [
    instant(at),
    `${tenant}/${call}`,
    judgement,
    by,
    note,
  ]);
  return table(['time', 'call', 'judgement', 'by', 'note'], rows);
}
