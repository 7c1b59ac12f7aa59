/** Steps in which people decide: an approval, its repetition, and the kill switch. */
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '@interlock/cli';
import { answerReplySchema, approvalListSchema, switchListSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import { type Answer, outcomeOf, pendingOf, problemOf } from './agent.ts';
import { note, play, SMALL } from './calls.ts';
import { Broken, same } from './expect.ts';
import { poll } from './poll.ts';
import type { Stage } from './stage.ts';
import type { Run } from './steps.ts';

export const MEDIUM = { payee: 'Contoso Chairs', amount: 480, reference: '2026-042' };
/** How long the demo waits for what a kill switch does everywhere within a second, on a machine that is busy. */
const SWITCH_MS = 10_000;
const TARGET = { kind: 'agent', tenant: 'acme', agent: 'clerk' };
const READ = 'read_note';

/** The call that a person approved, for the steps that come back to it. */
export interface ApprovedCall {
  call: string;
  idempotencyKey: string;
}

/** A held call: the person the agent acts for may not approve it, a second one may, and then it happens once. */
export async function heldCall(stage: Stage, run: Run, approved: ApprovedCall): Promise<string> {
  const { agent, api } = stage;
  const before = await api.payments();
  const held = await play(stage, run, 'pay', MEDIUM, approved.idempotencyKey);
  const { call, state } = pendingOf(held);
  same('The answer', { status: held.status, state }, { status: 202, state: 'held' });
  same('The payments at the API while a person is asked', await api.payments(), before);
  approved.call = call;

  const refusal = await refusalOf(answer(stage.alice, call, run, 'Alice'));
  run.screen.line(`Alice, for whom the agent acts, tries to approve  →  ${refusal}`);
  same('The answer to Alice', refusal, 'answer_not_allowed');
  await answer(stage.bob, call, run, 'Bob');
  run.screen.line('Bob sees exactly these arguments, and approves.');

  const over = await agent.lookAt(call);
  const { outcome, upstreamStatus } = outcomeOf(over);
  run.screen.line(`clerk asks what became of it  →  ${over.status} ${outcome}, upstream ${upstreamStatus}`);
  same('The outcome', { outcome, upstreamStatus }, { outcome: 'succeeded', upstreamStatus: 201 });
  const after = await api.payments();
  same('The payments at the API', after, [...before, { ...MEDIUM, id: before.length + 1 }]);
  note(run, stage, 'pay', 'held, then succeeded', { ...over, tookMs: held.tookMs + over.tookMs });
  return `Approved by a second person, and paid once: ${before.length} payment before, ${after.length} after.`;
}

/** The same request under the same Idempotency-Key gives the same answer and happens no more. */
export async function replayedCall(
  stage: Stage,
  run: Run,
  { call, idempotencyKey }: ApprovedCall,
): Promise<string> {
  const before = await stage.api.payments();
  const again = await play(stage, run, 'pay', MEDIUM, idempotencyKey);
  const { outcome, replayed, call: repeated } = outcomeOf(again);
  same('The answer', { outcome, replayed, call: repeated }, { outcome: 'succeeded', replayed: true, call });
  same('The payments at the API', await stage.api.payments(), before);
  note(run, stage, 'pay', 'replayed, not done again', again, 'the stored outcome');
  return `The same call, the same answer; the API still has ${before.length} payments.`;
}

/** The kill switch stops the agent, tells after how long, and lets it go on when it is lifted. */
export async function killSwitch(stage: Stage, run: Run): Promise<string> {
  const { agent, alice, signal, api } = stage;
  await turn(alice, true);
  run.screen.line('Alice turns the kill switch on for the agent clerk.');
  const startedMs = performance.now();
  const stopped = await untilAnswered('The kill switch does not stop the agent.', 403);
  run.screen.line(`${(performance.now() - startedMs).toFixed(0)} ms later: 403 ${problemOf(stopped).code}`);
  same('The refusal', problemOf(stopped).code, 'killed');
  const before = await api.payments();
  const refused = await play(stage, run, 'pay', SMALL);
  same(
    'The refusal',
    { status: refused.status, code: problemOf(refused).code },
    { status: 403, code: 'killed' },
  );
  same('The payments at the API', await api.payments(), before);
  note(run, stage, 'pay', 'refused', refused);

  await turn(alice, false);
  const back = await untilAnswered('The agent is not let go on.', 200);
  run.screen.line('Alice turns it off, and calls go through again.');
  note(run, stage, READ, 'succeeded', back);
  return 'One switch stopped the agent, whatever policy allows.';

  async function untilAnswered(what: string, status: number): Promise<Answer> {
    return await poll({ what, withinMs: SWITCH_MS, signal }, async () => {
      const answer = await agent.call(READ, { id: 1 });
      return answer.status === status ? answer : undefined;
    });
  }
}

async function turn(client: ApiClient, on: boolean): Promise<void> {
  const body = { target: TARGET, on, reason: 'shown in the demo' };
  await client.request({ method: 'POST', path: '/v1/kill', body, reply: switchListSchema });
}

/** Answers the question about a call, after a look at what is asked. */
async function answer(client: ApiClient, call: string, { screen }: Run, who: string): Promise<void> {
  const list = await client.request({ method: 'GET', path: '/v1/approvals', reply: approvalListSchema });
  const question = list.approvals.find((open) => open.call === call);
  if (question === undefined) throw new Broken(`${who} does not see the question about ${call}.`);
  same(`The arguments ${who} is shown`, question.arguments, MEDIUM);
  if (who === 'Bob')
    for (const { rule, text } of question.reasons) screen.line(`${who} is asked. ${rule}: ${text}`);
  const body = { verdict: 'approve', questionDigest: question.questionDigest };
  const path = `/v1/approvals/${question.tenant}/${call}`;
  await client.request({ method: 'POST', path, body, reply: answerReplySchema });
}

/** Returns the code with which something was refused. */
async function refusalOf(asking: Promise<void>): Promise<string> {
  try {
    await asking;
    return 'taken';
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
}

/** Returns a call that is yet to be made, with a key of its own. */
export function freshCall(): ApprovedCall {
  return { call: '', idempotencyKey: randomUUID() };
}
