import { readFile } from 'node:fs/promises';
import { callOutcomeSchema, callPendingSchema } from '@interlock/contracts';
import type { Command } from 'commander';
import { z } from 'zod';
import { readArguments } from '../call-arguments.ts';
import { type ApiClient, ingressClient, notRunning } from '../client.ts';
import { type Context, readContext } from '../context.ts';
import { exitCodes, usage } from '../exit-codes.ts';
import { foldersOf } from '../folders.ts';
import { print } from '../output.ts';
import { agentName, type CommonOptions, command } from './options.ts';

interface CallOptions extends CommonOptions {
  agent?: ReturnType<typeof agentName>;
  keyFile?: string;
  idempotencyKey?: string;
  purpose?: string;
  wait?: boolean;
}

/** How long one request waits for the outcome; `--wait` repeats it until the call is over. */
const WAIT_SECONDS = 30;
const answerSchema = z.union([callOutcomeSchema, callPendingSchema]);
type Answer = z.infer<typeof answerSchema>;

/** `interlock call`: makes one tool call as an agent. */
export function callCommand(): Command {
  return command(
    'call',
    'call a tool as an agent',
    `interlock call files_read_text_file '{"path": "notes.txt"}'`,
  )
    .argument('<tool>', 'the tool')
    .argument('[json]', 'its arguments as a JSON object; - reads them from standard input', '{}')
    .option('--agent <tenant/agent>', 'use the key of this agent, from the data folder', agentName)
    .option('--key-file <file>', 'use the key in this file')
    .option('--idempotency-key <key>', 'under the same key, a repeated call has no second effect')
    .option('--purpose <text>', 'why the call is made; an approver reads it')
    .option('--wait', 'wait until a held call is over')
    .action(runCall);
}

async function runCall(tool: string, json: string, options: CallOptions): Promise<void> {
  const parameters = await readArguments(json);
  const { data } = foldersOf(options);
  const context = await readContext(data);
  if (context.ingress === undefined) throw notRunning(data);
  const { idempotencyKey, purpose } = options;
  const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  const body = {
    tool,
    arguments: parameters,
    ...(purpose === undefined ? {} : { purpose }),
  };
  const client = ingressClient(context.ingress, await keyOf(context, options), context.trust, headers);
  const first = await client.request({ method: 'POST', path: '/v1/calls', body, reply: answerSchema });
  const answer = options.wait === true ? await untilOver(client, first) : first;
  print(options, answer, textOf(answer));
  const hasFailed = 'outcome' in answer && answer.outcome !== 'succeeded';
  if (hasFailed) process.exitCode = exitCodes.failed;
}

async function keyOf(context: Context, { agent, keyFile }: CallOptions): Promise<string> {
  if (keyFile !== undefined) return (await readFile(keyFile, 'utf8')).trim();
  const names = Object.keys(context.agents);
  const name = agent === undefined ? names[0] : `${agent.tenant}/${agent.agent}`;
  const known = name === undefined ? undefined : context.agents[name];
  if (known !== undefined) return known.key;
  throw usage(
    names.length === 0
      ? 'The data folder holds no key of any agent.'
      : `The data folder holds no key of ${name}. It holds keys of: ${names.join(', ')}.`,
  );
}

/** A held call is over at the latest when its question expires and its time to start has passed. */
async function untilOver(client: ApiClient, first: Answer): Promise<Answer> {
  let answer = first;
  while ('state' in answer) {
    const path = `/v1/calls/${answer.call}?wait=${WAIT_SECONDS}`;
    answer = await client.request({ method: 'GET', path, reply: answerSchema });
  }
  return answer;
}

function textOf(answer: Answer): string {
  if ('state' in answer) {
    const next =
      answer.state === 'held'
        ? `A person must approve it: interlock approvals, then interlock approve ${answer.call}`
        : '';
    return [`${answer.call}  ${answer.state}`, answer.detail, next].join('\n');
  }
  const {
    call,
    outcome,
    result,
    upstreamStatus,
    upstreamHeaders = {},
    replayed,
    code,
    detail,
    next,
  } = answer;
  const notes = [
    ...(upstreamStatus === undefined ? [] : [`upstream ${upstreamStatus}`]),
    ...(code === undefined ? [] : [code]),
    ...(replayed === true ? ['replayed'] : []),
  ];
  const body =
    typeof result === 'string' ? result : result === undefined ? '' : JSON.stringify(result, null, 2);
  const advice = [detail, next].filter((text) => text !== undefined);
  const headers = Object.entries(upstreamHeaders).map(([name, value]) => `${name}: ${value}`);
  return [[call, outcome, ...notes].join('  '), ...advice, ...headers, body].join('\n');
}
