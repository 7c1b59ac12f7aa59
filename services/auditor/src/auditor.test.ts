import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AuditedBus, newCall, sequenceOf, startAuditedBus, TENANT } from './audited-bus.fixture.ts';

const ASK_TIMEOUT_MS = 10_000;
let audited: AuditedBus;

beforeAll(async () => {
  audited = await startAuditedBus();
});

afterAll(async () => {
  await audited?.[Symbol.asyncDispose]();
});

function show(call: string, tenants?: string[]) {
  return audited.console.ask('auditor.show', { call, ...(tenants && { tenants }) }, ASK_TIMEOUT_MS);
}

test('[P-auditor-catches-up] what happened while no auditor ran is recorded with its arguments when one starts', async () => {
  const call = newCall();
  await audited.refuse(call, { amount: '12' });
  await using _auditor = await audited.start();
  await audited.settle();
  const { records } = await show(call);
  expect(records).toMatchObject([
    { stream: 'LEDGER', step: 'refused', tenant: TENANT, agent: 'clerk', call, tool: 'pay' },
  ]);
  expect(records[0]?.evidence?.call?.arguments).toBe('{"amount":"12"}');
  expect(records[0]?.event).not.toHaveProperty('evidence');
  expect(await audited.verify()).toMatchObject({ intact: true });
});

test('a person of another tenant sees nothing of a call', async () => {
  const call = newCall();
  await using _auditor = await audited.start();
  await audited.refuse(call);
  await audited.settle();
  expect((await show(call, ['other'])).records).toEqual([]);
  expect((await show(call, [TENANT])).records).toHaveLength(1);
  const search = { tenants: ['other'], limit: 100 };
  expect((await audited.console.ask('auditor.search', search, ASK_TIMEOUT_MS)).records).toEqual([]);
});

test('a search narrows by step, agent, tool and time and gives the newest first', async () => {
  await using _auditor = await audited.start();
  const since = Date.now();
  const times = [since, since + 2, since + 1];
  for (const at of times) await audited.refuse(newCall(), {}, at);
  await audited.settle();
  const ask = (more: object) =>
    audited.console
      .ask('auditor.search', { limit: 100, since, ...more }, ASK_TIMEOUT_MS)
      .then(({ records }) => records);
  expect(await ask({ step: 'settled' })).toEqual([]);
  expect(await ask({ agent: 'nobody' })).toEqual([]);
  expect(await ask({ tool: 'other' })).toEqual([]);
  expect(await ask({ until: since - 1 })).toEqual([]);
  const found = await ask({ step: 'refused', agent: 'clerk', tool: 'pay', limit: 2 });
  expect(found.map(({ at }) => at)).toEqual([since + 2, since + 1]);
});

test('management operations are recorded', async () => {
  await using _auditor = await audited.start();
  await audited.console.control({
    kind: 'tool',
    verb: 'put',
    tenant: 'all',
    name: 'pay',
    by: 'ada',
    at: Date.now(),
  });
  const wanted = { step: 'tool.put', limit: 10 };
  const [record] = await eventually(async () => {
    const { records } = await audited.console.ask('auditor.search', wanted, ASK_TIMEOUT_MS);
    return records.length > 0 && records;
  });
  expect(record).toMatchObject({ stream: 'CONTROL', event: { name: 'pay', by: 'ada' } });
});

test('an auditor that is started again continues where the last one stopped', async () => {
  {
    await using _first = await audited.start();
    for (let index = 0; index < 3; index += 1) await audited.refuse(newCall());
    await audited.settle();
  }
  for (let index = 0; index < 3; index += 1) await audited.refuse(newCall());
  await using _second = await audited.start();
  await audited.settle();
  const { lastSequence } = await audited.auditor.streamState('LEDGER');
  expect(await audited.verify()).toMatchObject({ intact: true, checked: { LEDGER: lastSequence } });
});

test('a tail that was cut while no auditor ran is still found', async () => {
  {
    await using _first = await audited.start();
    await audited.refuse(newCall());
    await audited.settle();
  }
  const [last] = await audited.records.find({ stream: 'LEDGER' }).sort({ _id: -1 }).limit(1).toArray();
  if (last === undefined) throw new Error('Nothing is recorded.');
  await audited.records.deleteOne({ _id: last._id });
  await using _second = await audited.start();
  await audited.refuse(newCall());
  await audited.settle();
  const { problems } = await audited.verify();
  expect(problems).toContainEqual(expect.objectContaining({ kind: 'missing', sequence: last.sequence }));
  await audited.records.insertOne(last);
  expect(await audited.verify()).toMatchObject({ intact: true });
});

test('[P-recovers] nothing is lost while MongoDB does not run, and no checkpoint is signed for what is not stored', async () => {
  await using _auditor = await audited.start();
  await audited.refuse(newCall());
  await audited.settle();
  const anchored = sequenceOf((await audited.auditor.anchors('LEDGER')).at(-1) ?? '');
  await audited.mongo.server.kill();
  const call = newCall();
  await audited.refuse(call);
  await expect(show(call)).rejects.toMatchObject({ code: 'audit_unavailable' });
  expect(sequenceOf((await audited.auditor.anchors('LEDGER')).at(-1) ?? '')).toBe(anchored);
  await audited.mongo.server.restart();
  await audited.settle();
  expect((await show(call)).records).toHaveLength(1);
  expect(await audited.verify()).toMatchObject({ intact: true });
});
