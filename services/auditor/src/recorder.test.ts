import type { Statement } from '@interlock/contracts';
import { signStatement } from '@interlock/keys';
import { createTestKeys, eventually, FakeClock, startTestBus } from '@interlock/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { readAnchor, startAnchors, strideOf } from './anchors.ts';
import { type AuditedBus, newCall, openStoreAt, sequenceOf, startAuditedBus } from './audited-bus.fixture.ts';
import { faultOf, genesisOf, type Head, hashOf, link } from './chain.ts';
import { openerOf } from './evidence.ts';
import type { RecordStore } from './mongo.ts';
import { type ChainRecord, messageDigest, recordOf } from './record.ts';
import { createRecorder, type Recorder } from './recorder.ts';

const MESSAGES = 6;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
let audited: AuditedBus;
let store: RecordStore;

beforeAll(async () => {
  audited = await startAuditedBus();
  store = await openStoreAt(audited.url);
  for (let index = 0; index < MESSAGES; index += 1) await audited.refuse(newCall());
});

afterEach(async () => {
  await audited.records.deleteMany({});
});

afterAll(async () => {
  await store?.[Symbol.asyncDispose]();
  await audited?.[Symbol.asyncDispose]();
});

async function newRecorder(
  lastAnchor?: Statement<'anchor'>,
  into: Pick<RecordStore, 'insert' | 'last'> = store,
): Promise<Recorder & { heads: Head[] }> {
  const heads: Head[] = [];
  const recorder = createRecorder({
    stream: 'LEDGER',
    store: into,
    bus: audited.auditor,
    lastAnchor: async () => lastAnchor,
    open: openerOf(await audited.testBus.keysOf('auditor')),
    clock: new FakeClock(),
    log: silent,
    onStored: (head) => heads.push(head),
  });
  return { ...recorder, heads };
}

async function messages(...sequences: number[]) {
  const read = await Promise.all(
    sequences.map((sequence) => audited.auditor.readSequence('LEDGER', sequence)),
  );
  return read.filter((message) => message !== undefined);
}

async function stored(): Promise<ChainRecord[]> {
  return await audited.records.find().sort({ _id: 1 }).toArray();
}

test('[P-auditor-catches-up] messages that come twice, late or out of order make one whole chain', async () => {
  const recorder = await newRecorder();
  await recorder.store(await messages(2, 1));
  await recorder.store(await messages(1, 2, 5));
  await recorder.store(await messages(3, 4));
  await recorder.store(await messages(6, 6));
  const records = await stored();
  expect(records.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  let before: Head | undefined;
  for (const record of records) {
    expect(faultOf(record, before)).toBeUndefined();
    before = record;
  }
});

test('two auditors that store the same messages at once make one chain', async () => {
  const [one, other] = [await newRecorder(), await newRecorder()];
  const batch = await messages(1, 2, 3, 4, 5, 6);
  await Promise.all([one.store(batch), other.store(batch)]);
  expect(await stored()).toHaveLength(MESSAGES);
  expect(one.heads.at(-1)).toEqual(other.heads.at(-1));
});

test('a forged record under the id of another stays as it is, and the chain goes on without it', async () => {
  const recorder = await newRecorder();
  await recorder.store(await messages(1));
  const [first] = await stored();
  if (first === undefined) throw new Error('Nothing was stored.');
  const forged = { ...first, sequence: 2, _id: first._id.replace(/1$/, '2'), previous: first.hash };
  await audited.records.insertOne({ ...forged, hash: hashOf(forged) });
  await recorder.store(await messages(2, 3));
  const [, second, third] = await stored();
  expect(second?.hash).toBe(hashOf(forged));
  expect(third?.previous).not.toBe(second?.hash);
});

test('records that are under a checkpoint and missing in the store are not stored again', async () => {
  const { created } = await audited.auditor.streamState('LEDGER');
  const hash = 'a'.repeat(64);
  const anchor: Statement<'anchor'> = {
    type: 'anchor',
    stream: 'LEDGER',
    created,
    sequence: 4,
    hash,
    issuedAt: 1,
  };
  const recorder = await newRecorder(anchor);
  await recorder.catchUp();
  const records = await stored();
  expect(records.map(({ sequence }) => sequence)).toEqual([5, 6]);
  expect(records[0]?.previous).toBe(hash);
});

test('[P-audit-stub] the first record that the server will never take is named, and those before it are stored', async () => {
  const [message] = await messages(1);
  if (message === undefined) throw new Error('There is no message.');
  const { created } = message;
  const genesis: Head = { stream: 'LEDGER', created, sequence: 0, hash: genesisOf('LEDGER', created) };
  const plain = [1, 2, 3].map((sequence) => recordOf({ ...message, sequence }, () => undefined));
  const records = link(
    genesis,
    plain.map((record) => (record.sequence === 2 ? { ...record, event: 'x'.repeat(17_000_000) } : record)),
  );
  expect(await store.insert(records)).toMatchObject({ refusedAt: 1 });
  expect((await stored()).map(({ sequence }) => sequence)).toEqual([1]);
});

test('[P-audit-stub] a message whose record the server refuses is recorded by its digest, and those after it as they are', async () => {
  // The server refuses the second record, since it arrives larger than a document may be; a stub arrives as it is.
  const inflated = (record: ChainRecord) =>
    record.sequence === 2 && !record.event.includes('"stub"')
      ? { ...record, event: 'x'.repeat(17_000_000) }
      : record;
  const recorder = await newRecorder(undefined, {
    last: (...of) => store.last(...of),
    insert: (records) => store.insert(records.map(inflated)),
  });
  const sent = await messages(1, 2, 3);
  await recorder.store(sent);
  const records = await stored();
  expect(records.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  expect(records.map(({ event }) => event.includes('"stub"'))).toEqual([false, true, false]);
  expect(records.map(({ digest }) => digest)).toEqual(sent.map(messageDigest));
  let before: Head | undefined;
  for (const record of records) {
    expect(faultOf(record, before)).toBeUndefined();
    before = record;
  }
});

test('a checkpoint is signed two seconds after a record, or at once after a hundred', async () => {
  const clock = new FakeClock(Date.now());
  const { created } = await audited.auditor.streamState('CONTROL');
  const sequences = async () => (await audited.auditor.anchors('CONTROL')).map(sequenceOf);
  const head = (sequence: number): Head => ({ stream: 'CONTROL', created, sequence, hash: 'a'.repeat(64) });
  await using anchors = startAnchors({ bus: audited.auditor, clock, log: silent, onSigned() {} });
  anchors.note(head(1));
  await clock.advance(1_999);
  expect(await sequences()).toEqual([]);
  await clock.advance(1);
  await eventually(async () => (await sequences()).at(-1) === 1);
  await eventually(() => clock.sleepers > 0);
  anchors.note(head(101));
  await eventually(async () => (await sequences()).at(-1) === 101);
});

test('[P-streams-bounded] the fuller the stream of checkpoints is, the more records and time a checkpoint stands for, and one is signed at once where it is waited for', async () => {
  const stride = (bytes: number) => strideOf({ bytes, maxBytes: 1_000 });
  expect([0, 250, 500, 1_000].map(stride)).toEqual([1, 2 ** 4.5, 2 ** 9, 2 ** 18]);
  await using testBus = await startTestBus({ anchorsMaxBytes: 8_192 });
  const bus = await testBus.busOf('auditor');
  const clock = new FakeClock(Date.now());
  const signed: number[] = [];
  const head = (sequence: number): Head => ({
    stream: 'CONTROL',
    created: 'x',
    sequence,
    hash: 'a'.repeat(64),
  });
  await using anchors = startAnchors({
    bus,
    clock,
    log: silent,
    onSigned: () => signed.push(clock.monotonicMs()),
  });
  anchors.note(head(1));
  for (let sequence = 2; sequence < 1_000; sequence += 1) {
    await clock.advance(2_000);
    // It sleeps again: what was due is signed.
    await eventually(() => clock.sleepers === 1);
    if (signed.length === 3) break;
    anchors.note(head(sequence));
  }
  const [first = 0, second = 0, third = 0] = signed;
  expect(third - second).toBeGreaterThan(2 * (second - first));
  anchors.note(head(1_000));
  anchors.want('CONTROL');
  await eventually(() => anchors.anchored('CONTROL')?.sequence === 1_000);
});

test('a checkpoint counts only when an auditor signed it, and also when the key has expired since', () => {
  const anchor: Statement<'anchor'> = {
    type: 'anchor',
    stream: 'LEDGER',
    created: 'x',
    sequence: 1,
    hash: 'a'.repeat(64),
    issuedAt: 10,
  };
  const { keyring, signingKeyOf } = createTestKeys({ notAfterMs: 20 });
  const signedBy = (service: 'auditor' | 'executor', issuedAt: number) =>
    signStatement({ ...anchor, issuedAt }, signingKeyOf(service));
  expect(() => readAnchor(signedBy('executor', 10), keyring, 15)).toThrow('statement_invalid');
  expect(() => readAnchor(signedBy('auditor', 25), keyring, 30)).toThrow('statement_invalid');
  expect(readAnchor(signedBy('auditor', 10), keyring, 30)).toMatchObject({ sequence: 1 });
});
