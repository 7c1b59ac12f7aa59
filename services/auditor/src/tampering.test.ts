import type { AuditVerification } from '@interlock/contracts';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { readAnchor } from './anchors.ts';
import { type AuditedBus, newCall, openStoreAt, startAuditedBus } from './audited-bus.fixture.ts';
import { hashOf } from './chain.ts';
import type { ChainRecord } from './record.ts';
import { StreamCheck } from './verify.ts';

const CALLS = 8;
let audited: AuditedBus;
let auditor: AsyncDisposable;
let before: ChainRecord[];

beforeAll(async () => {
  audited = await startAuditedBus();
  auditor = await audited.start();
  for (let index = 0; index < CALLS; index += 1) await audited.refuse(newCall(), { index: String(index) });
  await audited.settle();
  before = await audited.records.find().sort({ _id: 1 }).toArray();
  expect(before).toHaveLength(CALLS);
});

afterAll(async () => {
  await auditor?.[Symbol.asyncDispose]();
  await audited?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  await audited.records.deleteMany({});
  await audited.records.insertMany(before);
  expect(await audited.verify()).toMatchObject({ intact: true, problems: [] });
});

function recordAt(sequence: number): ChainRecord {
  const record = before[sequence - 1];
  if (record === undefined) throw new Error('There is no such record.');
  return record;
}

async function put(...records: ChainRecord[]): Promise<void> {
  for (const record of records) {
    await audited.records.deleteOne({ _id: record._id });
    await audited.records.insertOne(record);
  }
}

function problemAt({ problems }: AuditVerification, kind: string, sequence: number) {
  return problems.find((problem) => problem.kind === kind && problem.sequence === sequence);
}

const edits: Partial<Record<keyof ChainRecord, unknown>> = {
  created: '2020-01-01T00:00:00Z',
  subject: 'interlock.ledger.v1.refused.acme.other',
  storedAtMs: 1,
  step: 'settled',
  tenant: 'other',
  agent: 'other',
  call: 'other',
  tool: 'other',
  at: 1,
  event: '{}',
  evidence: '{}',
  digest: 'a'.repeat(64),
  previous: 'b'.repeat(64),
  hash: 'c'.repeat(64),
};

for (const [field, value] of Object.entries(edits))
  test(`[P-audit-finds-tampering] an edit of ${field} is found`, async () => {
    await audited.records.updateOne({ _id: recordAt(3)._id }, { $set: { [field]: value } });
    const verification = await audited.verify();
    expect(verification.intact).toBe(false);
    expect(verification.problems.map(({ sequence }) => sequence)).toContain(3);
  });

test('a field that is added to a record or taken from it is found', async () => {
  await audited.records.updateOne({ _id: recordAt(3)._id }, { $set: { note: 'x' } });
  await audited.records.updateOne({ _id: recordAt(5)._id }, { $unset: { evidence: '' } });
  const verification = await audited.verify();
  expect(problemAt(verification, 'edited', 3)).toBeDefined();
  expect(problemAt(verification, 'edited', 5)).toBeDefined();
});

test('an edit with a new hash of its own is found by the link after it', async () => {
  const edited = { ...recordAt(3), tool: 'other' };
  await put({ ...edited, hash: hashOf(edited) });
  expect(problemAt(await audited.verify(), 'edited', 4)).toBeDefined();
});

test('an edit with every later hash computed again is found by the checkpoint', async () => {
  let previous = recordAt(2).hash;
  for (const record of before.slice(2)) {
    const edited = { ...record, tool: 'other', previous };
    previous = hashOf(edited);
    await put({ ...edited, hash: previous });
  }
  expect(problemAt(await audited.verify(), 'anchor-mismatch', CALLS)).toBeDefined();
});

test('[P-audit-finds-tampering] a record that is removed is found', async () => {
  await audited.records.deleteOne({ _id: recordAt(4)._id });
  expect(problemAt(await audited.verify(), 'missing', 4)).toBeDefined();
});

test('records that lie in another order in the store are intact', async () => {
  await audited.records.deleteMany({});
  await audited.records.insertMany(before.toReversed());
  expect(await audited.verify()).toMatchObject({ intact: true, checked: { LEDGER: CALLS } });
});

test('the first record, removed, is found', async () => {
  await audited.records.deleteOne({ _id: recordAt(1)._id });
  expect(problemAt(await audited.verify(), 'missing', 1)).toBeDefined();
});

test('[P-audit-finds-tampering] two records that are swapped are found, both and nothing else', async () => {
  const [third, fourth] = [recordAt(3), recordAt(4)];
  await put({ ...fourth, _id: third._id }, { ...third, _id: fourth._id });
  const { problems } = await audited.verify();
  expect(problems.map(({ kind, sequence }) => ({ kind, sequence }))).toEqual([
    { kind: 'reordered', sequence: 3 },
    { kind: 'reordered', sequence: 4 },
  ]);
});

test('[P-audit-finds-tampering] a tail that is cut is found', async () => {
  for (const { _id } of before.slice(5)) await audited.records.deleteOne({ _id });
  expect(problemAt(await audited.verify(), 'truncated', 6)).toBeDefined();
});

test('a store that is emptied is found', async () => {
  await audited.records.deleteMany({});
  expect(problemAt(await audited.verify(), 'truncated', 1)).toBeDefined();
});

test('a record of a message that never existed is found', async () => {
  const last = recordAt(CALLS);
  const sequence = CALLS + 1;
  const forged = {
    ...last,
    sequence,
    _id: last._id.replace(/[0-9]$/, String(sequence)),
    previous: last.hash,
  };
  await put({ ...forged, hash: hashOf(forged) });
  expect(problemAt(await audited.verify(), 'unexpected', sequence)).toBeDefined();
});

test('[P-audit-finds-tampering] a tail that is cut together with every checkpoint of it is found', async () => {
  for (const { _id } of before.slice(5)) await audited.records.deleteOne({ _id });
  const { problems } = await verifyWithAnchors(0);
  expect(problems).toContainEqual(expect.objectContaining({ kind: 'truncated', sequence: 6 }));
});

test('an edit with a new hash and without its checkpoint is found by the message itself', async () => {
  const edited = { ...recordAt(CALLS), digest: 'a'.repeat(64) };
  await put({ ...edited, hash: hashOf(edited) });
  const { problems } = await verifyWithAnchors(0);
  expect(problems).toContainEqual(expect.objectContaining({ kind: 'edited', sequence: CALLS }));
});

test('[P-audit-finds-tampering] a forged checkpoint is found', async () => {
  const forged = `${(await audited.auditor.anchors('LEDGER')).at(-1)?.slice(0, -8)}AAAAAAAA`;
  const { problems } = await verifyWithAnchors(0, [forged]);
  expect(problems).toContainEqual(expect.objectContaining({ kind: 'anchor-forged' }));
});

/** Checks the ledger with its first `count` checkpoints and others. */
async function verifyWithAnchors(count: number, others: string[] = []) {
  await using store = await openStoreAt(audited.url);
  const { created, lastSequence } = await audited.auditor.streamState('LEDGER');
  const check = new StreamCheck({
    stream: 'LEDGER',
    anchors: [...(await audited.auditor.anchors('LEDGER')).slice(0, count), ...others],
    readAnchor: (jws) => readAnchor(jws, audited.testBus.keyring, Date.now()),
    reach: { created, sequence: lastSequence },
    bus: audited.auditor,
  });
  for await (const page of store.everything()) await check.page(page);
  return await check.finish();
}
