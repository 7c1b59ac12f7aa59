/** Ingress on a real bus; the tests speak for the console, the executor and the approver. */
import type { Bus, Delivery } from '@interlock/bus';
import {
  type Call,
  type Claim,
  digestOf,
  type EventBody,
  evidenceSchema,
  newId,
  type Question,
  seal,
  sealContext,
  sha256,
  toolSchema,
  unseal,
} from '@interlock/contracts';
import { eventually, type House, startHouse } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ingressService } from './main.ts';

const keys = {
  bot: `ilk_${'a'.repeat(43)}`,
  neighbour: `ilk_${'b'.repeat(43)}`,
  stranger: `ilk_${'c'.repeat(43)}`,
};
const DOOR = { kind: 'executor', replica: 'any' } as const;
const requested: Delivery<'requested'>[] = [];
let house: House;
let url = '';
let executor: Bus;
let approver: Bus;

beforeAll(async () => {
  house = await startHouse();
  const office = await house.busOf('console');
  await putAgent(office, { tenant: 'acme', agent: 'bot', key: keys.bot });
  await putAgent(office, { tenant: 'acme', agent: 'neighbour', key: keys.neighbour });
  await putAgent(office, { tenant: 'globex', agent: 'bot', key: keys.stranger });
  await office.entries('tools').put('note', noteTool);
  const started = await house.start([ingressService]);
  url = started.services[0]?.url ?? '';
  executor = await house.busOf('executor');
  approver = await house.busOf('approver');
  const decider = await house.busOf('decider');
  await decider.step('decider', {
    verb: (delivery) => {
      requested.push(delivery);
      return undefined;
    },
    poison: () => {
      throw new Error('nothing here is poison');
    },
    concurrency: 1,
  });
  await eventually(async () => (await fetch(new URL('/readyz', started.healthUrl))).ok);
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

const noteTool = toolSchema.parse({
  name: 'note',
  description: 'Writes a note.',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  target: { kind: 'http', method: 'POST', url: 'http://127.0.0.1:9/', egress: { allow: ['127.0.0.1'] } },
});

async function putAgent(office: Bus, { tenant, agent, key }: { tenant: string; agent: string; key: string }) {
  const nowMs = Date.now();
  await office.entries('agents').put(`${tenant}.${agent}`, {
    ...{ tenant, agent, user: `user-of-${agent}`, roles: [], session: `ses-${agent}` },
    keys: [{ keyId: 'k1', hash: sha256(key), createdAt: nowMs, notAfter: nowMs + 3_600_000 }],
    caps: { ratePerSecond: 1_000, burst: 1_000, inFlight: 100 },
  });
}

/** Both an outcome and a problem may name the call. */
const bodySchema = z.looseObject({ call: z.string().default(''), code: z.string().optional() });

async function ask(path: string, init: RequestInit & { key?: string } = {}) {
  const headers = { authorization: `Bearer ${init.key ?? keys.bot}`, ...init.headers };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  const body = bodySchema.parse(await response.json());
  return { status: response.status, headers: response.headers, body };
}

async function post(body: object, headers: Record<string, string> = {}) {
  const init = { method: 'POST', body: JSON.stringify(body) };
  return await ask('/v1/calls', { ...init, headers: { 'content-type': 'application/json', ...headers } });
}

/** Returns the next call on the line whose only argument is this text. */
async function onTheLine(text: string): Promise<Delivery<'requested'>> {
  const wanted = JSON.stringify({ text });
  return await eventually(() => requested.find(({ event }) => event.call.arguments === wanted));
}

function claimOf(call: Call): Claim {
  const {
    tenant,
    agent,
    user,
    session,
    tool,
    toolVersion,
    argumentsDigest,
    callDigest,
    replyTo,
    keepResult,
  } = call;
  return {
    ...{ tenant, agent, user, session, call: call.call, tool, toolVersion, argumentsDigest, callDigest },
    ...{ replyTo, keepResult, at: Date.now(), executor: 'exe_test', nonce: newId('n'), claimMs: 5_000 },
    idempotent: false,
    evidence: sealedFor('auditor', 'evidence', call.call),
  };
}

function sealedFor(service: 'auditor' | 'console', purpose: 'evidence' | 'held', call: string) {
  return seal('{}', house.keyring.sealKeysOf(service, Date.now()), sealContext(purpose, call));
}

/** Does what an executor does; `sent` is the body that goes to the door, `settled` the one that is stored. */
async function execute(call: Call, sent: string, settled: string = sent): Promise<void> {
  const claimed = await executor.claim('started', claimOf(call), 0);
  if (!claimed.stored) throw new Error('the call is claimed already');
  executor.sendResult(call.replyTo, call.call, Buffer.from(sent));
  const { tenant, agent, tool, argumentsDigest, keepResult } = call;
  const result = {
    digest: sha256(settled),
    bytes: Buffer.byteLength(settled),
    mediaType: 'application/json',
  };
  const body: EventBody<'settled'> = {
    ...{ tenant, agent, tool, argumentsDigest, keepResult, call: call.call, at: Date.now() },
    ...{ outcome: 'succeeded', upstreamStatus: 200, result, redactions: 0, labels: [], executor: 'exe_test' },
  };
  await executor.settle(body, claimed.sequence);
}

/** Asks a person about a call, as the approver does. */
async function hold(call: Call): Promise<void> {
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest } = call;
  const question: Question = {
    ...{ tenant, agent, user, session, call: call.call, tool, toolVersion, argumentsDigest, callDigest },
    ...{ reasons: [], roles: ['approver'], separateDuties: false },
    ...{ askedAt: Date.now(), expiresAt: Date.now() + 60_000 },
  };
  const sealed = sealedFor('console', 'held', call.call);
  const address = { tenant, call: call.call, door: DOOR };
  await approver.publish('asked', address, { question, questionDigest: digestOf(question), sealed }, 0);
}

describe('the door', () => {
  it('[P-line-refusal-is-an-event] [P-ingress-arguments] puts nothing on the line that it refuses, and writes the refusal with what was asked for', async () => {
    const refused = await post({ tool: 'note', arguments: { text: 7 } });
    expect(refused.body).toMatchObject({ code: 'arguments_invalid', pointer: '/arguments/text' });
    const last = await executor.readCall('acme', refused.body.call);
    if (last?.step !== 'refused') throw new Error('the refusal is not on the ledger');
    const box = unseal(
      last.body.evidence,
      (await house.keysOf('auditor')).seal,
      sealContext('evidence', refused.body.call),
    );
    const evidence = evidenceSchema.parse(JSON.parse(box.toString('utf8')));
    expect(evidence.call).toMatchObject({ arguments: '{"text":7}', user: 'user-of-bot', session: 'ses-bot' });
    expect(requested.some(({ event }) => event.call.call === refused.body.call)).toBe(false);
  });

  it('[P-identity-from-key] takes who calls from the key alone', async () => {
    const answer = post({ tool: 'note', arguments: { text: 'who' } });
    const { event, address } = await onTheLine('who');
    expect(event.call).toMatchObject({
      tenant: 'acme',
      agent: 'bot',
      user: 'user-of-bot',
      session: 'ses-bot',
      argumentsDigest: sha256('{"text":"who"}'),
    });
    expect(address).toMatchObject({ tenant: 'acme', call: event.call.call });
    await execute(event.call, '"done"');
    expect(await answer).toMatchObject({ status: 200, body: { call: event.call.call, result: 'done' } });
  });

  it('[P-result-digest] hands out no body but the one that was settled', async () => {
    const answer = post({ tool: 'note', arguments: { text: 'swapped' } });
    const { event } = await onTheLine('swapped');
    await execute(event.call, '"forged"', '"genuine"');
    const { status, body } = await answer;
    expect({ status, body }).toEqual({
      status: 200,
      body: { call: event.call.call, outcome: 'succeeded', upstreamStatus: 200 },
    });
  });

  it('tells a call to its own agent, and to no other agent or tenant that it exists', async () => {
    const answer = post({ tool: 'note', arguments: { text: 'mine' } });
    const { call } = (await onTheLine('mine')).event;
    expect((await ask(`/v1/calls/${call.call}`)).body).toMatchObject({ state: 'running' });
    expect((await ask(`/v1/calls/${call.call}`, { key: keys.neighbour })).body.code).toBe('call_unknown');
    await execute(call, '1');
    expect((await answer).status).toBe(200);
    expect((await ask(`/v1/calls/${call.call}`)).body).toMatchObject({ outcome: 'succeeded' });
    for (const key of [keys.neighbour, keys.stranger])
      expect((await ask(`/v1/calls/${call.call}`, { key })).body).toMatchObject({
        status: 404,
        code: 'call_unknown',
      });
  });

  it('answers 202 once the question is stored', async () => {
    const answer = post({ tool: 'note', arguments: { text: 'held' } });
    const { call } = (await onTheLine('held')).event;
    await hold(call);
    const { status, headers, body } = await answer;
    expect({ status, body }).toMatchObject({ status: 202, body: { call: call.call, state: 'held' } });
    expect(headers.get('location')).toBe(`/v1/calls/${call.call}`);
  });

  it('[P-idempotency-key] puts one call on the line for twenty requests under one Idempotency-Key at once', async () => {
    const headers = { 'idempotency-key': 'twenty' };
    const answers = Array.from({ length: 20 }, () =>
      post({ tool: 'note', arguments: { text: 'twenty' } }, headers),
    );
    const { call } = (await onTheLine('twenty')).event;
    await execute(call, '20');
    for (const { status, body } of await Promise.all(answers))
      expect({ status, call: body.call }).toEqual({ status: 200, call: call.call });
    expect(requested.filter(({ event }) => event.call.arguments.includes('twenty'))).toHaveLength(1);
    const other = await post({ tool: 'note', arguments: { text: 'other' } }, headers);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  it('makes a new call under the same Idempotency-Key after a refusal that passes', async () => {
    const headers = { 'idempotency-key': 'again' };
    const first = post({ tool: 'note', arguments: { text: 'again' } }, headers);
    const { call } = (await onTheLine('again')).event;
    const { tenant, agent, tool } = call;
    await executor.refuse({
      ...{ tenant, agent, tool, call: call.call, at: Date.now(), by: 'executor', code: 'ledger_full' },
      ...{ detail: 'full', evidence: sealedFor('auditor', 'evidence', call.call) },
    });
    expect(await first).toMatchObject({ status: 503, body: { call: call.call, code: 'ledger_full' } });
    const second = post({ tool: 'note', arguments: { text: 'again' } }, headers);
    const next = await eventually(() =>
      requested.find(({ event }) => event.call.arguments.includes('again') && event.call.call !== call.call),
    );
    await execute(next.event.call, '2');
    expect(await second).toMatchObject({ status: 200, body: { call: next.event.call.call } });
  });

  // Last, since the bus does not come back.
  it('[P-answer-claims-no-more] says 503 when the bus is away, and 504 under an Idempotency-Key that may have been used', async () => {
    await house.nats.server.kill();
    await eventually(async () => (await post({ tool: 'note', arguments: { text: 'x' } })).status === 503);
    const under = await post({ tool: 'note', arguments: { text: 'x' } }, { 'idempotency-key': 'twenty' });
    expect(under).toMatchObject({ status: 504, body: { code: 'outcome_unknown' } });
  });
});
