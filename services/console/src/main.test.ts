import type { Bus } from '@interlock/bus';
import {
  agentKeySchema,
  approvalListSchema,
  bundleKey,
  type QuestionEntry,
  questionEntrySchema,
  sha256,
  switchListSchema,
} from '@interlock/contracts';
import { verifyStatement } from '@interlock/keys';
import { eventually, limitWrites, makeCall } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ConsoleFixture, startConsole } from './console.fixture.ts';
import { makeQuestion } from './question.fixture.ts';

const HASH = 'a'.repeat(64);
const NOW_MS = 1_800_000_000_000;
let fixture: ConsoleFixture;
beforeAll(async () => {
  fixture = await startConsole([
    { person: 'alice', roles: ['admin'] },
    { person: 'otto', roles: ['operator'] },
    { person: 'bob', roles: ['approver'], tenants: ['acme'] },
  ]);
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

describe('the kill switch', () => {
  test('is not for an approver', async () => {
    const body = { target: { kind: 'all' }, on: true };
    expect(await fixture.ask('bob', 'POST', '/v1/kill', body)).toMatchObject({ status: 403 });
  });

  test('[P-kill-within-a-second] reaches the services', async () => {
    const limiter = await fixture.join('limiter');
    const switches = await limiter.entries('switches').watch();
    const body = {
      target: { kind: 'agent', tenant: 'acme', agent: 'helper' },
      on: true,
      reason: 'odd calls',
    };
    expect(await fixture.ask('otto', 'POST', '/v1/kill', body)).toMatchObject({ status: 200 });
    const stopped = await eventually(() => switches.get('agent.acme.helper'));
    expect(stopped).toMatchObject({ on: true, by: 'otto', reason: 'odd calls' });
    expect(await fixture.ask('otto', 'GET', '/v1/kill')).toMatchObject({
      body: { switches: [{ key: 'agent.acme.helper' }] },
    });
  });
});

test('[P-kill-store-ill] a kill switch that cannot be stored is in force at once, says so, is lifted likewise, and is stored when there is room', async () => {
  await using own = await startConsole([{ person: 'otto', roles: ['operator'] }]);
  const executor = await own.join('executor');
  const switches = await executor.entries('switches').watch();
  await eventually(() => switches.current);
  const set = (on: boolean) =>
    own.ask('otto', 'POST', '/v1/kill', { target: { kind: 'tool', tool: 'pay' }, on });
  const listed = async () => {
    const { body } = await own.ask('otto', 'GET', '/v1/kill');
    return switchListSchema.parse(body).switches.map(({ key, stored }) => ({ key, stored }));
  };
  await limitWrites(own.nats.server.pid, 'nothing');
  expect(await set(true)).toMatchObject({ status: 200, body: { switches: [{ on: true, stored: false }] } });
  expect(switches.get('tool.pay')?.on).toBe(true);
  expect(await listed()).toEqual([{ key: 'tool.pay', stored: false }]);
  expect(await set(false)).toMatchObject({ status: 200, body: { switches: [{ on: false, stored: false }] } });
  expect(switches.get('tool.pay')?.on).toBe(false);
  expect(await set(true)).toMatchObject({ status: 200 });
  await own.nats.server.restart();
  await eventually(async () => (await listed())[0]?.stored === true);
  expect(await executor.entries('switches').get('tool.pay')).toMatchObject({ value: { on: true } });
});

describe('an agent', () => {
  test('gets a key that is returned once and stored as a hash', async () => {
    const made = await fixture.ask('otto', 'POST', '/v1/agents', {
      tenant: 'acme',
      agent: 'maker',
      user: 'ada',
    });
    expect(made).toMatchObject({ status: 200, body: { key: expect.stringMatching(/^ilk_/) } });
    const { key } = agentKeySchema.parse(made.body);
    const ingress = await fixture.join('ingress');
    const entry = await ingress.entries('agents').get('acme.maker');
    expect(entry?.value.keys.map(({ hash }) => hash)).toEqual([sha256(key)]);
    expect(JSON.stringify(await fixture.ask('otto', 'GET', '/v1/agents'))).not.toContain(sha256(key));
  });

  test('is created once', async () => {
    const wanted = { tenant: 'acme', agent: 'twin', user: 'ada' };
    await fixture.ask('otto', 'POST', '/v1/agents', wanted);
    expect(await fixture.ask('otto', 'POST', '/v1/agents', wanted)).toMatchObject({
      status: 409,
      body: { code: 'name_taken' },
    });
  });

  test('keeps every key when several are made at the same time', async () => {
    await fixture.ask('otto', 'POST', '/v1/agents', { tenant: 'acme', agent: 'busy', user: 'ada' });
    const rotations = Array.from({ length: 5 }, () =>
      fixture.ask('otto', 'POST', '/v1/agents/acme/busy/rotate', {}),
    );
    expect((await Promise.all(rotations)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const ingress = await fixture.join('ingress');
    expect((await ingress.entries('agents').get('acme.busy'))?.value.keys).toHaveLength(6);
    await fixture.ask('otto', 'POST', '/v1/agents/acme/busy/revoke', {});
    expect((await ingress.entries('agents').get('acme.busy'))?.value.keys).toEqual([]);
  });
});

describe('a configuration', () => {
  const note = {
    name: 'note',
    description: 'Reads a note.',
    inputSchema: { type: 'object' },
    target: {
      kind: 'http',
      method: 'GET',
      url: 'https://notes.example/',
      egress: { allow: ['notes.example'] },
    },
  };
  const configuration = () => ({
    tools: [note],
    agents: [{ agent: 'helper', tenant: 'acme', user: 'ada' }],
    limits: { limits: [{ name: 'calls', per: ['agent'], concurrency: 4 }] },
    approvals: {},
    policy: fixture.signed('bundle'),
  });

  test('[P-apply-whole] with an error anywhere changes nothing', async () => {
    const wrong = { ...configuration(), tools: [note, note] };
    expect(await fixture.ask('alice', 'POST', '/v1/apply', wrong)).toMatchObject({
      status: 422,
      body: { code: 'configuration_invalid', pointer: '/tools/1' },
    });
    expect(await fixture.ask('alice', 'GET', '/v1/tools')).toMatchObject({ body: { tools: [] } });
  });

  test('is not for an operator to apply', async () => {
    expect(await fixture.ask('otto', 'POST', '/v1/apply', configuration())).toMatchObject({ status: 403 });
  });

  test('[P-apply-whole] reaches the services signed, and applying it again changes nothing', async () => {
    const first = await fixture.ask('alice', 'POST', '/v1/apply', configuration());
    expect(first).toMatchObject({
      status: 200,
      body: {
        created: ['policy/current', 'setting/limits', 'setting/approvals', 'agent/acme.helper', 'tool/note'],
      },
    });
    const again = await fixture.ask('alice', 'POST', '/v1/apply', configuration());
    expect(again).toMatchObject({ body: { created: [], changed: [], removed: [], unchanged: 5 } });

    const decider = await fixture.join('decider');
    const policy = await decider.entries('policies').get('current');
    expect(policy?.value).toMatchObject({ version: 1, digest: sha256('bundle'), by: 'alice' });
    const bundle = await decider.blobs('bundles').get(bundleKey(sha256('bundle')));
    expect(Buffer.from(bundle ?? []).toString()).toBe('bundle');
  });

  test('without a tool removes that tool', async () => {
    await fixture.ask('alice', 'POST', '/v1/apply', configuration());
    const without = await fixture.ask('alice', 'POST', '/v1/apply', { ...configuration(), tools: [] });
    expect(without).toMatchObject({ body: { removed: ['tool/note'] } });
    const executor = await fixture.join('executor');
    expect(await executor.entries('tools').get('note')).toBeUndefined();
  });

  test('[P-apply-plan] that is only planned changes nothing, and says what applying it would change', async () => {
    await fixture.ask('alice', 'POST', '/v1/apply', configuration());
    const other = { ...note, name: 'other' };
    const next = { ...configuration(), tools: [other], policy: fixture.signed('next') };
    const plan = await fixture.ask('alice', 'POST', '/v1/apply/plan', next);
    expect(plan).toMatchObject({
      status: 200,
      body: { created: ['tool/other'], changed: ['policy/current'], removed: ['tool/note'], emptied: [] },
    });
    const none = await fixture.ask('alice', 'POST', '/v1/apply/plan', { ...configuration(), tools: [] });
    expect(none).toMatchObject({ body: { emptied: [{ kind: 'tools', names: ['note'] }] } });
    const again = await fixture.ask('alice', 'POST', '/v1/apply', configuration());
    expect(again).toMatchObject({ body: { created: [], changed: [], removed: [], unchanged: 5 } });
    expect(await fixture.ask('otto', 'POST', '/v1/apply/plan', next)).toMatchObject({ status: 403 });
  });
});

test('[P-broker-at-rest] [P-secret-nowhere] a credential is sealed to the broker, stored as the broker returned it, and never returned', async () => {
  const broker = await fixture.join('broker');
  const stored = { name: 'token', kekId: 'kek_1', nonce: 'AAAA', ciphertext: 'BBBB', setAt: 1 };
  const seen: string[] = [];
  await broker.serve('broker.seal', async ({ sealed }) => {
    seen.push(JSON.stringify(sealed));
    return stored;
  });
  const set = await fixture.ask('otto', 'PUT', '/v1/credentials/token', { value: 's3cret' });
  expect(set).toEqual({ status: 200, body: { name: 'token', setAt: 1 } });
  expect(seen).toHaveLength(1);
  expect(seen[0]).not.toContain('s3cret');
  expect((await broker.entries('credentials').get('token'))?.value).toEqual(stored);
  expect(await fixture.ask('otto', 'GET', '/v1/credentials')).toMatchObject({
    body: { credentials: [{ name: 'token', setAt: 1 }] },
  });
});

describe('an open question', () => {
  test('[P-approval-identified-person] is neither listed for nor answered by a person whom it is not for', async () => {
    const entry = await askQuestion('acme', 'call_not_for_otto');
    expect(await fixture.ask('otto', 'GET', '/v1/approvals')).toMatchObject({ body: { approvals: [] } });
    const { questionDigest } = entry;
    const url = '/v1/approvals/acme/call_not_for_otto';
    expect(await fixture.ask('otto', 'POST', url, { verdict: 'approve', questionDigest })).toMatchObject({
      status: 403,
      body: { code: 'answer_not_allowed' },
    });
  });

  test('of another tenant cannot be answered', async () => {
    const { questionDigest } = await askQuestion('globex', 'call_of_globex');
    const url = '/v1/approvals/globex/call_of_globex';
    const answered = await fixture.ask('bob', 'POST', url, { verdict: 'approve', questionDigest });
    expect(answered).toMatchObject({ status: 403, body: { code: 'role_missing' } });
  });

  test('[P-approval-exact-call] cannot be answered with the digest of another question', async () => {
    await askQuestion('acme', 'call_other');
    const answered = await fixture.ask('bob', 'POST', '/v1/approvals/acme/call_other', {
      verdict: 'approve',
      questionDigest: HASH,
    });
    expect(answered).toMatchObject({ status: 409, body: { code: 'answer_mismatch' } });
  });

  test('is listed with the exact call, and its answer ends as the approver decides', async () => {
    const { questionDigest } = await askQuestion('acme', 'call_paid');
    await using _approver = await answering((entry, answer) => ({
      ...entry,
      state: 'approved',
      person: 'bob',
      answer,
    }));
    const list = await fixture.ask('bob', 'GET', '/v1/approvals');
    expect(list.body).toMatchObject({
      approvals: expect.arrayContaining([
        expect.objectContaining({ call: 'call_paid', arguments: { amount: 7 } }),
      ]),
    });
    const answered = await fixture.ask('bob', 'POST', '/v1/approvals/acme/call_paid', {
      verdict: 'approve',
      questionDigest,
    });
    expect(answered).toEqual({
      status: 200,
      body: { tenant: 'acme', call: 'call_paid', state: 'approved', person: 'bob' },
    });
  });
});

test('[P-approval-shares] more open questions than a list holds are counted in it, each can be asked for by its call, and a record of another shape hides none', async () => {
  await using own = await startConsole([{ person: 'bob', roles: ['approver'] }]);
  const questions = (await own.join('approver')).records('questions', questionEntrySchema);
  for (let index = 0; index < 101; index += 1) {
    const call = makeCall({
      call: `call_${index}`,
      tool: 'pay',
      args: { amount: index },
      nowMs: NOW_MS + index,
    });
    await questions.put(`acme.call_${index}`, makeQuestion(call, own.keyring), 0);
  }
  const shapeless = (await own.join('approver')).records('questions', z.object({}));
  await shapeless.put('acme.call_shapeless', {}, 0);
  const list = async (query: string) =>
    approvalListSchema.parse((await own.ask('bob', 'GET', `/v1/approvals${query}`)).body);
  const { approvals, more } = await list('');
  expect(approvals.map(({ call }) => call)).toEqual(
    Array.from({ length: 100 }, (_, index) => `call_${index}`),
  );
  expect(more).toBe(1);
  expect(await list('?call=call_100')).toMatchObject({ approvals: [{ call: 'call_100' }], more: 0 });
});

test('[P-approval-ending] who may answer a question is told what became of its call, and nobody else is', async () => {
  await askQuestion('acme', 'call_ended');
  const auditor = await fixture.join('auditor');
  const record = { stream: 'LEDGER', sequence: 1, at: 1, hash: HASH } as const;
  let records: { step: string; event: Record<string, string> }[] = [];
  await auditor.serve('auditor.show', async ({ tenants }) => ({
    records: records.filter(() => tenants?.[0] === 'acme').map((one) => ({ ...record, ...one })),
  }));
  const url = '/v1/approvals/acme/call_ended';
  const told = async (person: string) => (await fixture.ask(person, 'GET', url)).body;
  expect(await told('otto')).toMatchObject({ code: 'answer_not_allowed' });
  expect(await told('bob')).toEqual({ tenant: 'acme', call: 'call_ended', state: 'open' });
  records = [{ step: 'started', event: {} }];
  expect(await told('bob')).toMatchObject({ ending: { step: 'started' } });
  records = [...records, { step: 'settled', event: { outcome: 'succeeded' } }];
  expect(await told('bob')).toMatchObject({ ending: { step: 'settled', outcome: 'succeeded' } });
  records = [{ step: 'refused', event: { code: 'policy_denied', detail: 'No more.', by: 'decider' } }];
  expect(await told('bob')).toMatchObject({
    ending: { step: 'refused', code: 'policy_denied', detail: 'No more.' },
  });
});

let approver: Bus | undefined;
async function approverBus(): Promise<Bus> {
  approver ??= await fixture.join('approver');
  return approver;
}

/** Opens a question as the approver does. */
async function askQuestion(tenant: string, call: string): Promise<QuestionEntry> {
  const bus = await approverBus();
  const entry = makeQuestion(makeCall({ tenant, call, tool: 'pay', args: { amount: 7 } }), fixture.keyring);
  await bus.records('questions', questionEntrySchema).put(`${tenant}.${call}`, entry, 0);
  return entry;
}

/** Counts answers as the approver does, after it verified who signed them. */
async function answering(
  change: (entry: QuestionEntry, answer: string) => QuestionEntry,
): Promise<AsyncDisposable> {
  const bus = await approverBus();
  const questions = bus.records('questions', questionEntrySchema);
  return await bus.step('approver-answered', {
    concurrency: 1,
    poison: () => {
      throw new TypeError('An answer could not be counted.');
    },
    verb: async ({ event }) => {
      const { tenant, call, answer, person } = verifyStatement(
        event.statement,
        'answer',
        fixture.keyring,
        Date.now(),
      );
      expect(person).toBe('bob');
      const record = await questions.get(`${tenant}.${call}`);
      if (record !== undefined)
        await questions.put(`${tenant}.${call}`, change(record.value, answer), record.revision);
      return undefined;
    },
  });
}
