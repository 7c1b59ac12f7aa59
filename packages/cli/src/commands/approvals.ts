import {
  answerReplySchema,
  approvalListSchema,
  type OpenApproval,
  type QuestionState,
  questionStateSchema,
} from '@interlock/contracts';
import { Failure, systemClock } from '@interlock/shell';
import type { Command } from 'commander';
import { type ApiClient, managementClientOf } from '../client.ts';
import { type ConfirmOptions, confirm } from '../confirm.ts';
import { exitCodes } from '../exit-codes.ts';
import { instant, oneLine, print, quoted } from '../output.ts';
import { type ManagementOptions, managementCommand } from './options.ts';

interface AnswerOptions extends ManagementOptions, ConfirmOptions {
  reason?: string;
}

/** `interlock approvals`: lists the held calls, each with its exact arguments. */
export function approvalsCommand(): Command {
  return managementCommand(
    'approvals',
    'list the calls that wait for an approval',
    'interlock approvals --as bob',
  ).action(async (options: ManagementOptions) => {
    const list = await readOpen(await managementClientOf(options));
    const questions = list.approvals.map(textOf);
    const unreadable = list.unreadable.map(
      ({ tenant, call }) => `${call}  of ${tenant} cannot be read, so it cannot be answered`,
    );
    const more =
      list.more === 0 ? [] : [`${list.more} younger ones are not listed: answer some of these first.`];
    const shown = [...questions, ...unreadable, ...more].join('\n\n');
    print(options, list, shown || 'No call waits for an approval.');
  });
}

/** `interlock approve`: shows the question, and answers it when the person says so. */
export function approveCommand(): Command {
  return answerCommand('approve', 'approve a held call', 'interlock approve CALL --as bob').option(
    '--yes',
    'do not ask after showing the question',
  );
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
      const question = (await readOpen(client, call)).approvals.find((open) => open.call === call);
      if (question === undefined)
        throw new Failure('question_unknown', `${call} does not wait for an approval by this person.`, {
          next: 'List the calls that wait with interlock approvals.',
        });
      // A denial has no effect that anybody must be asked about.
      const asks = verdict === 'approve' ? options : { yes: true };
      await confirm(asks, textOf(question), 'Approve this call?');
      const { tenant, questionDigest } = question;
      const { reason } = options;
      const body = { verdict, questionDigest, ...(reason === undefined ? {} : { reason }) };
      const path = `/v1/approvals/${tenant}/${call}`;
      const answer = await client.request({ method: 'POST', path, body, reply: answerReplySchema });
      const ending = answer.state === 'approved' ? await untilEnded(client, path) : undefined;
      print(
        options,
        { ...answer, arguments: question.arguments, ...(ending === undefined ? {} : { ending }) },
        `${call} was ${answer.state} by ${answer.person}.${answer.state === 'approved' ? endingText(ending) : ''}`,
      );
      if (ending?.step === 'refused' || (ending?.step === 'settled' && ending.outcome !== 'succeeded'))
        process.exitCode = exitCodes.failed;
    });
}

/** An approved call is decided once more, and carried out: most have ended by then. */
const ENDING_WAIT_MS = 20_000;
const POLL_MS = 1_000;

type Ending = QuestionState['ending'];

/** Returns how an approved call ended, or how far it got in that time. The answer counts, also where that cannot be read. */
async function untilEnded(client: ApiClient, path: string): Promise<Ending> {
  const endMs = systemClock.monotonicMs() + ENDING_WAIT_MS;
  try {
    for (;;) {
      const { ending } = await client.request({ method: 'GET', path, reply: questionStateSchema });
      const isOver = ending !== undefined && ending.step !== 'started';
      const leftMs = endMs - systemClock.monotonicMs();
      if (isOver || leftMs <= 0) return ending;
      await systemClock.sleep(Math.min(POLL_MS, leftMs));
    }
  } catch {
    return undefined;
  }
}

function endingText(ending: Ending): string {
  switch (ending?.step) {
    case undefined:
      return ' What became of the call is not recorded yet: see interlock audit show.';
    case 'started':
      return ' It is being carried out.';
    case 'settled':
      return ` The call ${outcomeWords[ending.outcome]}${ending.code === undefined ? '' : ` (${ending.code})`}.`;
    case 'refused':
      return ` The call was refused all the same: ${ending.code}: ${oneLine(ending.detail)}`;
    default:
      return ending satisfies never;
  }
}

const outcomeWords = {
  succeeded: 'succeeded',
  failed: 'failed',
  unknown: 'may have had its effect: nobody knows',
} as const;

async function readOpen(client: ApiClient, call?: string) {
  const query = call === undefined ? '' : `?call=${encodeURIComponent(call)}`;
  return await client.request({ method: 'GET', path: `/v1/approvals${query}`, reply: approvalListSchema });
}

/** First what Interlock knows, then what the agent wrote, of which each line stands behind a bar. */
function textOf(question: OpenApproval): string {
  const { call, tenant, agent, user, tool, purpose, reasons, expiresAt, questionDigest } = question;
  const lines = [
    `${call}  ${tool}`,
    `  agent ${tenant}/${agent} for ${user}, waits until ${instant(expiresAt)}`,
    `  digest of the question ${questionDigest}`,
    // The text of a rule may repeat what an agent wrote.
    ...reasons.map(({ rule, text }) => `  asked by ${rule}:\n${quoted(oneLine(text))}`),
    '  arguments of the call:',
    quoted(question.arguments),
    ...(purpose === undefined ? [] : ['  purpose, as the agent gives it:', quoted(purpose)]),
  ];
  return lines.join('\n');
}
