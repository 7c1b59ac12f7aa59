import { approvalListSchema, digestOf, type OpenApproval, sha256 } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HttpAnswer } from './http.ts';
import { type CallOptions, type Line, startLine } from './line.ts';

const START_MS = 100_000;
const DAY_MS = 86_400_000;
/** Long enough for a busy machine to list the question, and well within the time that a look-up waits. */
const SOON_MS = 10_000;
const WAIT_SECONDS = 20;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    // `ask` may be answered by anybody who approves; `idem` by somebody else than the user; `slow` soon; `read` spends.
    tools: {
      idem: { labels: ['destructive'] },
      slow: { labels: ['destructive'] },
      read: { labels: ['destructive'], spends: '/id' },
    },
    limits: [
      { name: 'budget', per: ['agent'], match: { tool: 'read' }, spend: { amount: 10, windowMs: DAY_MS } },
    ],
    approvals: {
      rules: [
        { tool: 'idem', separateDuties: true },
        { tool: 'slow', expiresMs: SOON_MS },
      ],
    },
  });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

async function hold(tool: string, text: string, options: CallOptions = {}) {
  const held = await line.call(tool, { text }, options);
  expect({ status: held.status, state: held.body.state }).toEqual({ status: 202, state: 'held' });
  return { held, call: held.body.call ?? '', question: await questionOf(held.body.call ?? '') };
}

/** Returns an open question as it is listed for somebody who may answer it. */
async function questionOf(call: string): Promise<OpenApproval> {
  return await eventually(async () => {
    const { approvals } = approvalListSchema.parse((await line.person('bob').get('/v1/approvals')).body);
    return approvals.find((open) => open.call === call);
  });
}

async function answer(person: string, { tenant, call }: OpenApproval, body: object): Promise<HttpAnswer> {
  return await line.person(person).post(`/v1/approvals/${tenant}/${call}`, body);
}

function effectsOf(call: string): number {
  return line.upstream.effects.get(call) ?? 0;
}

describe('a held call', () => {
  test('[P-approval-exact-call] is answered with 202, the address of its outcome and the time it expires, and has no effect', async () => {
    const { held, call, question } = await hold('ask', 'location');
    expect(held.headers.get('location')).toBe(`/v1/calls/${call}`);
    expect(held.body).toMatchObject({ call, state: 'held', expiresAt: question.expiresAt });
    expect(question.arguments).toEqual({ text: 'location' });
    expect((await line.getCall(call)).body).toMatchObject({ state: 'held', expiresAt: question.expiresAt });
    expect(effectsOf(call)).toBe(0);
  });

  test('[P-approval-exact-call] happens once when a person approves it, and its result can be fetched afterwards', async () => {
    line.upstream.behave({ kind: 'answer', body: { said: 'kept' } });
    const { call, question } = await hold('ask', 'approve me');
    const same = await hold('ask', 'approve me');
    const waiting = line.getCall(call, { waitSeconds: WAIT_SECONDS });
    const { body } = await answer('bob', question, {
      verdict: 'approve',
      questionDigest: question.questionDigest,
    });
    expect(body).toMatchObject({ state: 'approved', person: 'bob' });
    expect((await waiting).body).toMatchObject({ outcome: 'succeeded', result: { said: 'kept' } });
    const again = {
      status: 200,
      body: { call, outcome: 'succeeded', result: { said: 'kept' }, replayed: true },
    };
    expect(await line.getCall(call)).toMatchObject(again);
    expect(effectsOf(call)).toBe(1);
    // The very same request asked for again is another call, and another question.
    expect((await line.getCall(same.call)).body.state).toBe('held');
    expect(effectsOf(same.call)).toBe(0);
  });

  test('[P-approval-exact-call] does not happen when a person denies it', async () => {
    const { call, question } = await hold('ask', 'deny me');
    await answer('bob', question, { verdict: 'deny', questionDigest: question.questionDigest, reason: 'no' });
    const after = await line.getCall(call, { waitSeconds: WAIT_SECONDS });
    expect(after.body).toMatchObject({ status: 403, code: 'approval_denied' });
    expect(effectsOf(call)).toBe(0);
  });

  test('[P-approval-exact-call] [P-unsure-means-no] does not happen when nobody answers in time', async () => {
    const { call, question } = await hold('slow', 'nobody');
    const after = await line.getCall(call, { waitSeconds: WAIT_SECONDS });
    expect(after.body).toMatchObject({ status: 403, code: 'approval_expired' });
    expect(effectsOf(call)).toBe(0);
    const late = await answer('bob', question, {
      verdict: 'approve',
      questionDigest: question.questionDigest,
    });
    expect(late.body.code).toBe('question_closed');
    expect(effectsOf(call)).toBe(0);
  });

  test('[P-line-no-way-round] that was approved is still stopped by the kill switch', async () => {
    const { call, question } = await hold('ask', 'killed');
    const fate = async () => (await line.call('write', { text: 'killed' })).body;
    const kill = { target: { kind: 'agent', tenant: 'acme', agent: 'helper' } };
    await line.person('alice').post('/v1/kill', { ...kill, on: true });
    await eventually(async () => (await fate()).code === 'killed');
    await answer('bob', question, { verdict: 'approve', questionDigest: question.questionDigest });
    const after = await line.getCall(call, { waitSeconds: WAIT_SECONDS });
    expect(after.body).toMatchObject({ status: 403, code: 'killed' });
    expect(effectsOf(call)).toBe(0);
    await line.person('alice').post('/v1/kill', { ...kill, on: false });
    await eventually(async () => (await fate()).outcome === 'succeeded');
  });

  test('[P-line-no-way-round] that was approved is still stopped by a budget that was spent meanwhile', async () => {
    const spending = { id: 6 };
    const [first, second] = [await line.call('read', spending), await line.call('read', spending)];
    expect([first.status, second.status]).toEqual([202, 202]);
    const outcomeOf = async ({ body: { call = '' } }: HttpAnswer) => {
      await line.person('bob').answer(call, 'approve');
      return (await line.getCall(call, { waitSeconds: WAIT_SECONDS })).body;
    };
    expect((await outcomeOf(first)).outcome).toBe('succeeded');
    expect(await outcomeOf(second)).toMatchObject({ status: 429, code: 'spend_limited' });
    expect(effectsOf(second.body.call ?? '')).toBe(0);
  });

  test('[P-approval-exact-call] [P-idempotency-key] stays one call and one question under one Idempotency-Key', async () => {
    const first = await hold('ask', 'one', { idempotencyKey: 'held' });
    const second = await hold('ask', 'one', { idempotencyKey: 'held' });
    expect(second.call).toBe(first.call);
    const other = await line.call('ask', { text: 'two' }, { idempotencyKey: 'held' });
    expect(other.body).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    await line.person('bob').answer(first.call, 'approve');
    await line.getCall(first.call, { waitSeconds: WAIT_SECONDS });
    const third = await line.call('ask', { text: 'one' }, { idempotencyKey: 'held' });
    expect(third.body).toMatchObject({ call: first.call, outcome: 'succeeded', replayed: true });
    expect(effectsOf(first.call)).toBe(1);
  });
});

describe('an answer', () => {
  test('[P-approval-exact-call] to a question that was changed, or to another one, is refused', async () => {
    const { call, question } = await hold('ask', 'digest');
    const other = await hold('ask', 'other');
    const { questionDigest, arguments: _, ...asked } = question;
    const changed = digestOf({ ...asked, argumentsDigest: sha256('{"text":"more"}') });
    for (const wrong of [changed, other.question.questionDigest, sha256('')]) {
      const { body } = await answer('bob', question, { verdict: 'approve', questionDigest: wrong });
      expect(body).toMatchObject({ status: 409, code: 'answer_mismatch' });
    }
    expect(digestOf(asked)).toBe(questionDigest);
    expect((await line.getCall(call)).body.state).toBe('held');
    expect(effectsOf(call)).toBe(0);
  });

  test('[P-approval-separate-duties] of the user whose agent made the call is refused where duties are separated', async () => {
    const { call, question } = await hold('idem', 'mine');
    const approve = { verdict: 'approve', questionDigest: question.questionDigest };
    expect((await answer('alice', question, approve)).body).toMatchObject({ code: 'answer_not_allowed' });
    expect((await line.getCall(call)).body.state).toBe('held');
    expect(effectsOf(call)).toBe(0);
    expect((await answer('bob', question, approve)).body.state).toBe('approved');
    expect((await line.getCall(call, { waitSeconds: WAIT_SECONDS })).body.outcome).toBe('succeeded');
    const foreign = await hold('idem', 'hers', { agent: 'other' });
    const digest = foreign.question.questionDigest;
    const answered = await answer('alice', foreign.question, { verdict: 'approve', questionDigest: digest });
    expect(answered.body.state).toBe('approved');
  });

  test('[P-approval-identified-person] [P-agent-cannot-manage] cannot be given with an agent’s key, nor without any', async () => {
    const { call, question } = await hold('ask', 'agent');
    const body = JSON.stringify({ verdict: 'approve', questionDigest: question.questionDigest });
    const paths = [`/v1/approvals/acme/${call}`, '/v1/kill', '/v1/apply', '/v1/agents'];
    for (const path of paths) {
      for (const authorization of [
        `Bearer ${line.agent('helper').key}`,
        'Bearer ',
        `Bearer ilp_${'0'.repeat(43)}`,
      ]) {
        const headers = { authorization, 'content-type': 'application/json' };
        const atConsole = await fetch(`${line.interlock.console}${path}`, { method: 'POST', headers, body });
        expect(atConsole.status).toBe(401);
      }
      const headers = {
        authorization: `Bearer ${line.agent('helper').key}`,
        'content-type': 'application/json',
      };
      const atDoor = await fetch(`${line.interlock.ingress}${path}`, { method: 'POST', headers, body });
      expect(atDoor.status).toBe(404);
    }
    expect((await line.getCall(call)).body.state).toBe('held');
    expect(effectsOf(call)).toBe(0);
  });

  test('[P-approval-exact-call] counts once: of many at the same time one is accepted, and none after it', async () => {
    const { call, question } = await hold('ask', 'many');
    const { questionDigest } = question;
    const answers = await Promise.all(
      ['bob', 'alice', 'bob', 'alice', 'bob'].map((person) =>
        answer(person, question, { verdict: 'approve', questionDigest }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status, body } of answers) if (status !== 200) expect(body.code).toBe('question_closed');
    const late = await answer('bob', question, { verdict: 'deny', questionDigest });
    expect(late.body).toMatchObject({ status: 409, code: 'question_closed' });
    expect((await line.getCall(call, { waitSeconds: WAIT_SECONDS })).body.outcome).toBe('succeeded');
    expect(effectsOf(call)).toBe(1);
  });
});
