/** Steps in which people decide: an approval, its repetition, and the kill switch. */
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '@interlock/cli';
import { answerReplySchema, approvalListSchema, switchListSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import { type Answer, outcomeOf, pendingOf, problemOf } from './agent.ts';
import { note, play, SMALL } from './calls.ts';
import { expectEqual, Unexpected } from './expect.ts';
import { poll } from './poll.ts';
import type { Setup } from './setup.ts';
import type { Run } from './steps.ts';

export const MEDIUM = { payee: 'Contoso Chairs', amount: 480, reference: '2026-042' };
/** A kill switch takes effect everywhere within a second; the rest is for a busy machine. */
const SWITCH_MS = 10_000;
const TARGET = { kind: 'agent', tenant: 'acme', agent: 'clerk' };
const READ = 'read_note';

/** The call that a person approved, for later steps about it. */
export interface ApprovedCall {
  call: string;
  idempotencyKey: string;
}

/** A held call: the person whom the agent acts for may not approve it; a second person may, and then it happens once. */
export async function heldCall(setup: Setup, run: Run, approved: ApprovedCall): Promise<string> {
  const { agent, api } = setup;
  const before = await api.payments();
  const held = await play(setup, run, 'pay', MEDIUM, approved.idempotencyKey);
  const { call, state } = pendingOf(held);
  expectEqual('The answer', { status: held.status, state }, { status: 202, state: 'held' });
  expectEqual('The payments at the API while a person is asked', await api.payments(), before);
  approved.call = call;

  const refusal = await refusalOf(answer(setup.alice, call, run, 'Alice'));
  run.screen.line(`Alice, for whom the agent acts, tries to approve  →  ${refusal}`);
  expectEqual('The answer to Alice', refusal, 'answer_not_allowed');
  await answer(setup.bob, call, run, 'Bob');
  run.screen.line('Bob sees exactly these arguments, and approves.');

  const over = await agent.outcome(call);
  const { outcome, upstreamStatus } = outcomeOf(over);
  run.screen.line(`clerk asks for the outcome  →  ${over.status} ${outcome}, upstream ${upstreamStatus}`);
  expectEqual('The outcome', { outcome, upstreamStatus }, { outcome: 'succeeded', upstreamStatus: 201 });
  const after = await api.payments();
  expectEqual('The payments at the API', after, [...before, { ...MEDIUM, id: before.length + 1 }]);
  note(run, setup, 'pay', 'held, then succeeded', { ...over, tookMs: held.tookMs + over.tookMs });
  return `A second person approved it, and it was paid once: ${before.length} payment before, ${after.length} after.`;
}

/** The same request under the same Idempotency-Key gets the same answer and has no second effect. */
export async function replayedCall(
  setup: Setup,
  run: Run,
  { call, idempotencyKey }: ApprovedCall,
): Promise<string> {
  const before = await setup.api.payments();
  const again = await play(setup, run, 'pay', MEDIUM, idempotencyKey);
  const { outcome, replayed, call: repeated } = outcomeOf(again);
  expectEqual(
    'The answer',
    { outcome, replayed, call: repeated },
    { outcome: 'succeeded', replayed: true, call },
  );
  expectEqual('The payments at the API', await setup.api.payments(), before);
  note(run, setup, 'pay', 'replayed, not done again', again, 'the stored outcome');
  return `The same call and the same answer, and the API still has ${before.length} payments.`;
}

/** The kill switch stops the agent, and when it is turned off, the agent's calls pass again. */
export async function killSwitch(setup: Setup, run: Run): Promise<string> {
  const { agent, alice, signal, api } = setup;
  await turn(alice, true);
  run.screen.line('Alice turns the kill switch on for the agent clerk.');
  const startedMs = performance.now();
  const stopped = await untilAnswered('The kill switch does not stop the agent.', 403);
  run.screen.line(`${(performance.now() - startedMs).toFixed(0)} ms later: 403 ${problemOf(stopped).code}`);
  expectEqual('The refusal', problemOf(stopped).code, 'killed');
  const before = await api.payments();
  const refused = await play(setup, run, 'pay', SMALL);
  expectEqual(
    'The refusal',
    { status: refused.status, code: problemOf(refused).code },
    { status: 403, code: 'killed' },
  );
  expectEqual('The payments at the API', await api.payments(), before);
  note(run, setup, 'pay', 'refused', refused);

  await turn(alice, false);
  const back = await untilAnswered('The calls of the agent do not pass again.', 200);
  run.screen.line('Alice turns it off, and calls pass again.');
  note(run, setup, READ, 'succeeded', back);
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

/** Approves a call, after checking that the arguments shown are those of the call. */
async function answer(client: ApiClient, call: string, { screen }: Run, who: string): Promise<void> {
  const list = await client.request({ method: 'GET', path: '/v1/approvals', reply: approvalListSchema });
  const question = list.approvals.find((open) => open.call === call);
  if (question === undefined) throw new Unexpected(`${call} does not wait for an approval by ${who}.`);
  expectEqual(`The arguments ${who} is shown`, question.arguments, MEDIUM);
  if (who === 'Bob')
    for (const { rule, text } of question.reasons) screen.line(`${who} is asked. ${rule}: ${text}`);
  const body = { verdict: 'approve', questionDigest: question.questionDigest };
  const path = `/v1/approvals/${question.tenant}/${call}`;
  await client.request({ method: 'POST', path, body, reply: answerReplySchema });
}

/** Returns the code of a refusal. */
async function refusalOf(asking: Promise<void>): Promise<string> {
  try {
    await asking;
    return 'accepted';
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
}

/** Returns an idempotency key for a call that is made later. */
export function freshCall(): ApprovedCall {
  return { call: '', idempotencyKey: randomUUID() };
}
