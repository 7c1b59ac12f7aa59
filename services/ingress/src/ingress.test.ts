import { readFile } from 'node:fs/promises';
import type { Bus, LedgerEntry } from '@interlock/bus';
import {
  type Call,
  canonicalJson,
  digestOf,
  type EventBody,
  type Evidence,
  evidenceSchema,
  limits,
  type Question,
  questionEntrySchema,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { Secret, unseal } from '@interlock/keys';
import { eventually, makeRefused, sealedFor } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newCallId } from './call-id.ts';
import { agentKeys, type IngressFixture, startIngress } from './ingress.fixture.ts';

const CLAIM_MS = 5_000;

let ingress: IngressFixture;
let approver: Bus;
beforeAll(async () => {
  ingress = await startIngress();
  approver = await ingress.testBus.busOf('approver');
});
afterAll(() => ingress?.[Symbol.asyncDispose]());

/** Does what an executor does; `sent` is the body that ingress receives, `settled` the one whose digest is stored. */
async function execute(call: Call, sent: string, settled: string = sent): Promise<void> {
  const claimed = await ingress.executor.claim('started', ingress.claimOf(call, CLAIM_MS), 0);
  if (!claimed.stored) throw new Error('the call is claimed already');
  ingress.executor.sendResult(call.replyTo, call.call, Buffer.from(sent));
  const { tenant, agent, tool, argumentsDigest, keepResult } = call;
  const result = {
    digest: sha256(settled),
    bytes: Buffer.byteLength(settled),
    mediaType: 'application/json',
  };
  const body: EventBody<'settled'> = {
    ...{ tenant, agent, tool, argumentsDigest, keepResult, call: call.call, at: Date.now() },
    ...{ outcome: 'succeeded', upstreamStatus: 200, result, redactions: 0, labels: [], executor: 'exe_1' },
  };
  await ingress.executor.settle(body, claimed.sequence);
}

function questionOf(call: Call): { question: Question; questionDigest: string } {
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest } = call;
  const question: Question = {
    ...{ tenant, agent, user, session, call: call.call, tool, toolVersion, argumentsDigest, callDigest },
    ...{ reasons: [], roles: ['approver'], separateDuties: false },
    ...{ askedAt: Date.now(), expiresAt: Date.now() + 60_000 },
  };
  return { question, questionDigest: digestOf(question) };
}

/** Asks a person about a call, as the approver does. */
async function hold(call: Call): Promise<void> {
  const sealed = sealedFor('console', call.call, ingress.testBus.keyring, { purpose: 'held' });
  const address = { tenant: call.tenant, call: call.call };
  await approver.publish('asked', address, { ...questionOf(call), sealed }, 0);
}

/** Opens what the auditor gets with a refusal. */
async function evidenceOf(entry: LedgerEntry | undefined): Promise<Evidence> {
  if (entry?.step !== 'refused') throw new Error('the refusal is not on the ledger');
  const { seal } = await ingress.testBus.keysOf('auditor');
  const box = unseal(entry.body.evidence, seal, sealContext('evidence', entry.body.call));
  return evidenceSchema.parse(JSON.parse(box.toString('utf8')));
}

describe('ingress', () => {
  test('[P-line-refusal-is-an-event] [P-ingress-arguments] publishes no call that it refuses, and writes the refusal with the arguments', async () => {
    const refused = await ingress.note({ text: 7 });
    expect(refused.body).toMatchObject({ code: 'arguments_invalid', pointer: '/arguments/text' });
    const last = await ingress.executor.readCall('acme', refused.body.call);
    const evidence = await evidenceOf(last);
    expect(evidence.call).toMatchObject({ arguments: '{"text":7}', user: 'user-of-bot', session: 'ses-bot' });
    expect(ingress.requested.some(({ event }) => event.call.call === refused.body.call)).toBe(false);
  });

  test('[P-refusals-small] [P-ingress-volume] keeps of large arguments that it refuses their digest and size, and of those above the hourly limit nothing', async () => {
    const text = 'x'.repeat(250_000);
    const refused = await ingress.note({ text, other: text }, {}, agentKeys.small);
    expect(refused.body.code).toBe('arguments_invalid');
    const last = await ingress.executor.readCall('acme', refused.body.call);
    expect(JSON.stringify(last?.body).length).toBeLessThan(4_000);
    const { call, detail } = await evidenceOf(last);
    expect(detail).toMatchObject({ argumentsBytes: 500_022 });
    expect(call?.argumentsDigest).toBe(sha256(canonicalJson({ text, other: text })));
    expect(call?.arguments).toBeUndefined();
    expect((await ingress.note({ text, other: text }, {}, agentKeys.small)).status).toBe(422);
    const above = await ingress.note({ text }, {}, agentKeys.small);
    expect(above).toMatchObject({ status: 429, body: { code: 'agent_flood', rule: 'agent-bytes' } });
    expect(Number(above.headers.get('retry-after'))).toBeGreaterThan(60);
    expect(ingress.requested.some(({ event }) => event.call.arguments.includes(text))).toBe(false);
    expect((await ingress.note({ text: 1 })).status).toBe(422);
    expect(await ingress.metrics()).toContain('interlock_ingress_over_volume_total{limit="agent-bytes"} 1');
  });

  test('[P-identity-from-key] takes the identity of the caller from the key alone', async () => {
    const answer = ingress.note({ text: 'who' });
    const { event, address } = await ingress.publishedCall('who');
    expect(event.call).toMatchObject({
      tenant: 'acme',
      agent: 'bot',
      user: 'user-of-bot',
      session: 'ses-bot',
      argumentsDigest: sha256('{"text":"who"}'),
      origin: { address: '127.0.0.1' },
    });
    expect(address).toMatchObject({ tenant: 'acme', call: event.call.call });
    await execute(event.call, '"done"');
    expect(await answer).toMatchObject({ status: 200, body: { call: event.call.call, result: 'done' } });
  });

  test('[P-tools-own] lists to an agent the tools that the decider names for it, and no others', async () => {
    const listed = await ingress.ask('/v1/tools');
    expect(listed).toMatchObject({ status: 200, body: { tools: [{ name: 'note' }] } });
    expect(ingress.offered.at(-1)).toEqual({
      ...{ tenant: 'acme', agent: 'bot', user: 'user-of-bot', session: 'ses-bot' },
    });
    const neighbour = await ingress.ask('/v1/tools', { key: agentKeys.neighbour });
    expect(neighbour).toMatchObject({ status: 200, body: { tools: [] } });
  });

  test('[P-result-digest] answers no body but the one that was settled', async () => {
    const answer = ingress.note({ text: 'swapped' });
    const { event } = await ingress.publishedCall('swapped');
    await execute(event.call, '"forged"', '"genuine"');
    const { status, body } = await answer;
    const advice = { detail: expect.stringContaining('carried out'), next: expect.any(String) };
    expect({ status, body }).toEqual({
      status: 200,
      body: { call: event.call.call, outcome: 'succeeded', upstreamStatus: 200, ...advice },
    });
  });

  test('answers about a call to its own agent, and does not confirm to others that it exists', async () => {
    const answer = ingress.note({ text: 'mine' });
    const { call } = (await ingress.publishedCall('mine')).event;
    expect((await ingress.ask(`/v1/calls/${call.call}`)).body).toMatchObject({ state: 'running' });
    expect((await ingress.ask(`/v1/calls/${call.call}`, { key: agentKeys.neighbour })).body.code).toBe(
      'call_unknown',
    );
    await execute(call, '1');
    expect((await answer).status).toBe(200);
    expect((await ingress.ask(`/v1/calls/${call.call}`)).body).toMatchObject({ outcome: 'succeeded' });
    for (const key of [agentKeys.neighbour, agentKeys.stranger])
      expect((await ingress.ask(`/v1/calls/${call.call}`, { key })).body).toMatchObject({
        status: 404,
        code: 'call_unknown',
      });
  });

  test('answers 202 once the question is stored', async () => {
    const answer = ingress.note({ text: 'held' });
    const { call } = (await ingress.publishedCall('held')).event;
    await hold(call);
    const { status, headers, body } = await answer;
    expect({ status, body }).toMatchObject({ status: 202, body: { call: call.call, state: 'held' } });
    expect(headers.get('location')).toBe(`/v1/calls/${call.call}`);
  });

  test('[P-idempotency-key] publishes one call for twenty simultaneous requests under one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'twenty' };
    const answers = Array.from({ length: 20 }, () => ingress.note({ text: 'twenty' }, headers));
    const { call } = (await ingress.publishedCall('twenty')).event;
    await execute(call, '20');
    for (const { status, body } of await Promise.all(answers))
      expect({ status, call: body.call }).toEqual({ status: 200, call: call.call });
    expect(ingress.requested.filter(({ event }) => event.call.arguments.includes('twenty'))).toHaveLength(1);
    const other = await ingress.note({ text: 'other' }, headers);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('makes a new call under the same Idempotency-Key after a retryable refusal', async () => {
    const headers = { 'idempotency-key': 'again' };
    const first = ingress.note({ text: 'again' }, headers);
    const { call } = (await ingress.publishedCall('again')).event;
    const full = { by: 'executor', code: 'ledger_full' } as const;
    await ingress.executor.refuse(makeRefused(call, ingress.testBus.keyring, full));
    expect(await first).toMatchObject({ status: 503, body: { call: call.call, code: 'ledger_full' } });
    const second = ingress.note({ text: 'again' }, headers);
    const next = await eventually(() =>
      ingress.requested.find(
        ({ event }) => event.call.arguments.includes('again') && event.call.call !== call.call,
      ),
    );
    await execute(next.event.call, '2');
    expect(await second).toMatchObject({ status: 200, body: { call: next.event.call.call } });
  });

  test('[P-answer-stays-true] answers an agent about its held call after a refusal that does not name its agent', async () => {
    const records = approver.records('questions', questionEntrySchema);
    for (const keeps of ['the question', 'no question']) {
      const answer = ingress.note({ text: keeps });
      const { call } = (await ingress.publishedCall(keeps)).event;
      await hold(call);
      expect((await answer).status).toBe(202);
      if (keeps === 'the question')
        await records.put(`acme.${call.call}`, { ...questionOf(call), state: 'denied', rejected: [] }, 0);
      const refused = makeRefused(call, ingress.testBus.keyring, { code: 'statement_invalid' });
      const { argumentsDigest: _, ...unnamed } = { ...refused, agent: 'unknown', tool: 'unknown' };
      await ingress.executor.refuse(unnamed);
      const own = await ingress.ask(`/v1/calls/${call.call}`);
      expect(own).toMatchObject({ status: 403, body: { code: 'statement_invalid', call: call.call } });
      const others = await ingress.ask(`/v1/calls/${call.call}`, { key: agentKeys.neighbour });
      expect(others).toMatchObject({ status: 404, body: { code: 'call_unknown' } });
    }
  });

  test('[P-answer-stays-true] knows the id of a call of which nothing is stored: running until its deadline, refused after it, and never of another agent', async () => {
    const secret = new Secret(
      await readFile(ingress.testBus.env['INTERLOCK_CALL_ID_KEY_FILE'] ?? '', 'utf8'),
    );
    const given = (beforeMs: number) =>
      newCallId({ tenant: 'acme', agent: 'bot' }, Date.now() - beforeMs, secret);
    const young = given(1_000);
    expect(await ingress.ask(`/v1/calls/${young}`)).toMatchObject({
      status: 202,
      body: { state: 'running' },
    });
    const lost = given(limits.callMs + 10_000);
    for (const key of [agentKeys.neighbour, agentKeys.stranger])
      expect((await ingress.ask(`/v1/calls/${lost}`, { key })).status).toBe(404);
    expect(await ingress.executor.readCall('acme', lost)).toBeUndefined();
    expect(await ingress.ask(`/v1/calls/${lost}`)).toMatchObject({
      ...{ status: 503, body: { code: 'deadline_passed', call: lost } },
    });
    expect(await ingress.executor.readStep('refused', 'acme', lost)).toMatchObject({
      body: { by: 'ingress' },
    });
    const forgotten = await ingress.ask(`/v1/calls/${given(3_600_000)}`);
    expect(forgotten).toMatchObject({ status: 404, body: { code: 'call_unknown' } });
  });

  // Last, since NATS is not started again.
  test('[P-answer-claims-no-more] answers 503 while it is disconnected from NATS, and 504 under an Idempotency-Key that may have been used', async () => {
    await ingress.testBus.nats.server.kill();
    await eventually(async () => (await ingress.note({ text: 'x' })).status === 503);
    const under = await ingress.note({ text: 'x' }, { 'idempotency-key': 'twenty' });
    expect(under).toMatchObject({ status: 504, body: { code: 'outcome_unknown' } });
    const carriedOut = await ingress.ask(`/v1/calls/${under.body.call || 'c_1'}`);
    expect(carriedOut).toMatchObject({ status: 504, body: { code: 'outcome_unknown' } });
    expect(JSON.stringify(carriedOut.body)).not.toMatch(/nothing was done/i);
  });
});
