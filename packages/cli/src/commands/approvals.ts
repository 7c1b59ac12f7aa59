import { answerReplySchema, approvalListSchema, type OpenApproval } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { type ApiClient, managementClientOf } from '../client.ts';
import { instant, plain, print } from '../output.ts';
import { type ManagementOptions, managementCommand } from './options.ts';

interface AnswerOptions extends ManagementOptions {
  reason?: string;
}

/** `interlock approvals`: lists the held calls, each with its exact arguments. */
export function approvalsCommand(): Command {
  return managementCommand(
    'approvals',
    'list the calls that wait for an approval',
    'interlock approvals --as bob',
  ).action(async (options: AnswerOptions) => {
    const list = await readOpen(await managementClientOf(options));
    const questions = list.approvals.map(textOf);
    const unreadable = list.unreadable.map(
      ({ tenant, call }) => `${call}  of ${tenant} cannot be read, so it cannot be answered`,
    );
    print(options, list, [...questions, ...unreadable].join('\n\n') || 'No call waits for an approval.');
  });
}

/** `interlock approve`. */
export function approveCommand(): Command {
  return answerCommand('approve', 'approve a held call', 'interlock approve CALL --as bob');
}

/** `interlock deny`. */
export function denyCommand(): Command {
  return answerCommand('deny', 'deny a held call', 'interlock deny CALL --as bob --reason "wrong account"');
}

function answerCommand(verdict: 'approve' | 'deny', description: string, example: string): Command {
  return managementCommand(verdict, description, example)
    .argument('<call>', 'the call')
    .option('--reason <text>', 'the reason, for the record')
    .action(async (call: string, options: AnswerOptions) => {
      const client = await managementClientOf(options);
      const question = (await readOpen(client)).approvals.find((open) => open.call === call);
      if (question === undefined)
        throw new Failure('question_unknown', `${call} does not wait for an approval by this person.`, {
          next: 'List the calls that wait with interlock approvals.',
        });
      const { tenant, questionDigest } = question;
      const { reason } = options;
      const body = { verdict, questionDigest, ...(reason === undefined ? {} : { reason }) };
      const path = `/v1/approvals/${tenant}/${call}`;
      const answer = await client.request({ method: 'POST', path, body, reply: answerReplySchema });
      print(
        options,
        { ...answer, arguments: question.arguments },
        `${textOf(question)}\n\n${answer.state} by ${answer.person}`,
      );
    });
}

async function readOpen(client: ApiClient) {
  return await client.request({ method: 'GET', path: '/v1/approvals', reply: approvalListSchema });
}

function textOf(question: OpenApproval): string {
  const { call, tenant, agent, user, tool, purpose, reasons, expiresAt } = question;
  const lines = [
    `${call}  ${tool}`,
    `  agent ${tenant}/${agent} for ${user}, waits until ${instant(expiresAt)}`,
    ...(purpose === undefined ? [] : [`  purpose, as the agent gives it: ${purpose}`]),
    ...reasons.map(({ rule, text }) => `  ${rule}: ${text}`),
    ...JSON.stringify(question.arguments, null, 2)
      .split('\n')
      .map((line) => `  ${line}`),
  ];
  return plain(lines.join('\n'));
}
