import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Bus } from '@interlock/bus';
import { auditRecordSchema } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { joinBus, observeBus } from './inside.ts';
import { type Line, startLine, UPSTREAM_TOKEN } from './line.ts';

const START_MS = 100_000;
const recordsSchema = z.looseObject({ records: z.array(auditRecordSchema) });

let line: Line;
beforeAll(async () => {
  line = await startLine({
    policyData: {
      // `bare` is granted to nobody, and `slow` is granted and blocked.
      allow_listed: [{ tenants: ['acme', 'rival'], tools: ['read', 'write', 'ask', 'slow'] }],
      blocked_tools: [{ tools: ['slow'] }],
    },
  });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

describe('a tool call', () => {
  test('[P-ingress-arguments] that no schema allows has no effect and says where the fault is', async () => {
    const before = line.upstream.requests.length;
    const { status, body } = await line.call('write', { text: 7 });
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { code: 'arguments_invalid', pointer: '/arguments/text' },
    });
    expect(line.upstream.requests).toHaveLength(before);
  });

  test('[P-default-deny] that no rule allows is refused by default and has no effect', async () => {
    const before = line.upstream.requests.length;
    for (const agent of ['helper', 'other'] as const) {
      const { status, body } = await line.call('bare', { text: 'nobody granted this' }, { agent });
      expect({ status, body }).toMatchObject({ status: 403, body: { code: 'policy_default' } });
    }
    expect(line.upstream.requests).toHaveLength(before);
  });

  test('[P-line-refusal-is-an-event] that policy refuses is answered with code, reason, rule and what to do next, as the audit has it', async () => {
    const { status, body, text } = await line.call('slow', { text: 'blocked' });
    expect({ status, body }).toMatchObject({
      status: 403,
      body: {
        ...{ code: 'policy_denied', rule: 'blocked_tools' },
        ...{ detail: expect.stringMatching(/\w/), next: expect.stringMatching(/\w/) },
      },
    });
    const [record] = await eventually(async () => {
      const found = await line.person('alice').get(`/v1/audit/calls/${body.call}`);
      const { records } = recordsSchema.parse(found.body);
      return records.length > 0 && records;
    });
    const { code, rule, detail } = z.looseObject({}).parse(body);
    expect(record).toMatchObject({ step: 'refused', event: { code, rule, detail, by: 'decider' } });
    expect((await line.getCall(body.call ?? '')).text).toBe(text);
  });

  test('gets its effect once, with a credential that the agent never sees', async () => {
    const { status, body, text } = await line.call('write', { text: 'hello' });
    expect({ status, outcome: body.outcome }).toEqual({ status: 200, outcome: 'succeeded' });
    expect(line.upstream.effects.get(body.call ?? '')).toBe(1);
    expect(text).not.toContain(UPSTREAM_TOKEN);
  });

  test('[P-approval-exact-call] that a person approved happens once', async () => {
    const held = await line.call('ask', { text: 'may I?' });
    expect({ status: held.status, state: held.body.state }).toEqual({ status: 202, state: 'held' });
    const call = held.body.call ?? '';
    expect(line.upstream.effects.get(call)).toBeUndefined();
    const answered = await line.person('bob').answer(call, 'approve');
    expect({ status: answered.status, state: answered.body.state }).toEqual({
      status: 200,
      state: 'approved',
    });
    expect((await line.getCall(call, { waitSeconds: 30 })).body.outcome).toBe('succeeded');
    expect(line.upstream.effects.get(call)).toBe(1);
  });
});

describe('an agent that closes its connection before its call starts', () => {
  let executor: Bus;
  const cancelled: string[] = [];
  const admitted = new Map<string, string>();
  beforeAll(async () => {
    executor = await joinBus(line.interlock, 'executor');
    await executor.onCancel((call) => cancelled.push(call));
    const observer = await observeBus(line.interlock);
    await observer.onPublished(({ step, address, text }) => {
      const [mark] = step === 'admitted' ? (/hung-up-\w+/.exec(text) ?? []) : [];
      if (mark !== undefined) admitted.set(mark, address.call);
    });
    return () => observer[Symbol.asyncDispose]();
  });
  afterAll(() => executor?.[Symbol.asyncDispose]());

  test('[P-call-cancelled] has no effect of it, but for a call that its Idempotency-Key lets it ask for again', async () => {
    const keyed = { idempotencyKey: 'hung-up' };
    line.interlock.signal('executor', 'SIGSTOP');
    const kept = await sendRaw('hung-up-kept', keyed.idempotencyKey);
    const dropped = await sendRaw('hung-up-dropped');
    const [first, second] = await eventually(() => {
      const calls = [admitted.get('hung-up-kept'), admitted.get('hung-up-dropped')] as const;
      return calls.every((call) => call !== undefined) && calls;
    });
    // In this order, so that ingress has seen both close when it cancels the second one.
    for (const socket of [kept, dropped]) socket.destroy();
    await eventually(() => cancelled.includes(second ?? ''));
    line.interlock.signal('executor', 'SIGCONT');

    const refused = await eventually(() => executor.readStep('refused', 'acme', second ?? ''));
    expect(refused.body).toMatchObject({ code: 'cancelled', by: 'executor' });
    expect(await executor.readStep('started', 'acme', second ?? '')).toBeUndefined();
    const again = await line.call('write', { text: 'hung-up-kept' }, keyed);
    expect(again.body).toMatchObject({ call: first, outcome: 'succeeded' });
    expect(cancelled).toEqual([second]);
    expect(line.upstream.effects.get(second ?? '')).toBeUndefined();
    expect(line.upstream.effects.get(first ?? '')).toBe(1);
  });
});

/** Sends a call of `write` over a connection of its own, and returns the connection once the request is on its way. */
async function sendRaw(text: string, idempotencyKey?: string): Promise<Socket> {
  const { hostname, port, host } = new URL(line.interlock.ingress);
  const body = JSON.stringify({ tool: 'write', arguments: { text } });
  const head = [
    'POST /v1/calls HTTP/1.1',
    `host: ${host}`,
    `authorization: Bearer ${line.agent('helper').key}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(idempotencyKey === undefined ? [] : [`idempotency-key: ${idempotencyKey}`]),
  ];
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  return socket;
}
