import type { RecordedCall } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { eventually, FakeClock, type MongoServer, startMongo } from '@interlock/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openStoreAt, startAuditedBus } from './audited-bus.fixture.ts';
import type { RecordStore } from './mongo.ts';
import { type Filling, fillStore } from './replay.fixture.ts';
import { createReplays, type Replays } from './replay.ts';

const HOUR_MS = 3_600_000;
const AT = Date.UTC(2026, 0, 1);
const ALL = { since: 0, until: AT + 1_000 * HOUR_MS };
const LARGE = 100_000;
let mongo: MongoServer;
let store: RecordStore;
let clock: FakeClock;

const calls: Filling[] = [
  { call: 'call_0', at: AT },
  { call: 'call_0', at: AT + 1, step: 'settled' },
  { call: 'call_1', at: AT + 2, step: 'refused', code: 'policy_denied', verdict: 'deny', tool: 'drop' },
  { call: 'call_2', at: AT + 3, step: 'refused', code: 'agent_flood', decided: false },
  { call: 'call_3', at: AT + 4, step: 'evaluated', tenant: 'rival', agent: 'other' },
  ...Array.from(
    { length: 20 },
    (_, index): Filling => ({
      call: `large_${index}`,
      at: AT + HOUR_MS + index,
      agent: 'bulk',
      arguments: { text: 'x'.repeat(LARGE) },
    }),
  ),
];

beforeAll(async () => {
  mongo = await startMongo();
  store = await openStoreAt(new Secret(mongo.url));
  await fillStore(store, calls);
});

beforeEach(() => {
  clock = new FakeClock();
});

afterAll(async () => {
  await store?.[Symbol.asyncDispose]();
  await mongo?.[Symbol.asyncDispose]();
});

interface Read {
  calls: RecordedCall[];
  pages: number;
  unreadable: number;
}

async function read(replays: Replays, wanted: object): Promise<Read> {
  const found: Read = { calls: [], pages: 0, unreadable: 0 };
  let reply = await replays.answer({ ...ALL, ...wanted });
  for (;;) {
    found.calls.push(...reply.calls);
    found.pages += 1;
    found.unreadable += reply.unreadable;
    if (reply.cursor === undefined) return found;
    reply = await replays.answer({ cursor: reply.cursor });
  }
}

const names = ({ calls: found }: Read) => found.map(({ call }) => call);

test('a cursor that was used, closed or never given is refused', async () => {
  await using replays = createReplays({ store, clock });
  await expect(replays.answer({ cursor: 'replay_none' })).rejects.toMatchObject({ code: 'name_unknown' });
  const { cursor = '' } = await replays.answer(ALL);
  const { cursor: second = '' } = await replays.answer({ cursor });
  await expect(replays.answer({ cursor })).rejects.toMatchObject({ code: 'name_unknown' });
  expect(await replays.answer({ cursor: second, close: true })).toEqual({ calls: [], unreadable: 0 });
  await expect(replays.answer({ cursor: second })).rejects.toMatchObject({ code: 'name_unknown' });
  expect(replays.open).toBe(0);
});

test('a fifth replay beside four is refused until one of them ends', async () => {
  await using replays = createReplays({ store, clock });
  const begun = await Promise.all([1, 2, 3, 4].map(() => replays.answer(ALL)));
  await expect(replays.answer(ALL)).rejects.toMatchObject({ code: 'audit_unavailable' });
  await replays.answer({ cursor: begun[0]?.cursor ?? '', close: true });
  expect((await replays.answer(ALL)).cursor).toBeDefined();
});

test('a replay that is idle for a minute is closed', async () => {
  await using replays = createReplays({ store, clock });
  const { cursor = '' } = await replays.answer(ALL);
  await clock.advance(59_999);
  const { cursor: second = '' } = await replays.answer({ cursor });
  await clock.advance(60_000);
  await expect(replays.answer({ cursor: second })).rejects.toMatchObject({ code: 'name_unknown' });
  await eventually(() => replays.open === 0);
});

test('a replay whose store fails ends with a fault and leaves nothing open', async () => {
  const broken = {
    read: async () => undefined,
    async *replay() {
      yield* [];
      throw new Error('gone');
    },
  };
  await using replays = createReplays({ store: broken, clock });
  await expect(replays.answer(ALL)).rejects.toThrow('gone');
  expect(replays.open).toBe(0);
});

test('every call that policy was asked about is returned once, oldest first, in pages', async () => {
  await using replays = createReplays({ store, clock });
  const found = await read(replays, {});
  const large = Array.from({ length: 20 }, (_, index) => `large_${index}`);
  expect(names(found)).toEqual(['call_0', 'call_1', 'call_3', ...large]);
  expect(found.pages).toBeGreaterThan(3);
  expect(found.calls[1]).toMatchObject({
    step: 'refused',
    code: 'policy_denied',
    arguments: '{"amount":12}',
    decision: { verdict: 'deny', facts: { tool: { name: 'drop' } } },
  });
  expect(replays.open).toBe(0);
});

test('a replay narrows by tenant, agent, tool and time', async () => {
  await using replays = createReplays({ store, clock });
  expect(names(await read(replays, { tenants: ['rival'] }))).toEqual(['call_3']);
  expect(names(await read(replays, { tenants: [] }))).toEqual([]);
  expect(names(await read(replays, { agent: 'other' }))).toEqual(['call_3']);
  expect(names(await read(replays, { tool: 'drop' }))).toEqual(['call_1']);
  expect(names(await read(replays, { since: AT + 1, until: AT + 3 }))).toEqual(['call_1']);
});

test('a call is returned once: as it ended, or at the end as it is still held', async () => {
  const own = Date.UTC(2028, 0, 1);
  const asked = { step: 'asked', verdict: 'ask' } as const;
  await fillStore(
    store,
    [
      { call: 'call_open', at: own, ...asked },
      { call: 'call_approved', at: own + 1, ...asked },
      { call: 'call_denied', at: own + 2, ...asked },
      { call: 'call_approved', at: own + 3 },
      { call: 'call_denied', at: own + 4, step: 'refused', code: 'approval_denied', decided: false },
    ],
    '2025-03-03T00:00:00Z',
  );
  await using replays = createReplays({ store, clock });
  const found = await read(replays, { since: own, until: own + 4 });
  expect(found.calls.map(({ call, step }) => [call, step])).toEqual([
    ['call_approved', 'started'],
    ['call_open', 'asked'],
  ]);
  const before = await read(replays, { since: own, until: own + 2 });
  expect(before.calls.map(({ call, step }) => [call, step])).toEqual([
    ['call_open', 'asked'],
    ['call_approved', 'asked'],
    ['call_denied', 'asked'],
  ]);
});

test('a record that cannot be returned is counted', async () => {
  const own = Date.UTC(2027, 0, 1);
  const older = { call: 'call_old', at: own, verdict: 'maybe' as 'deny' };
  await fillStore(store, [older, { call: 'call_new', at: own + 1 }], '2025-02-02T00:00:00Z');
  await using replays = createReplays({ store, clock });
  const found = await read(replays, { since: own, until: own + 1 });
  expect(found).toMatchObject({ unreadable: 1 });
  expect(names(found)).toEqual(['call_new']);
});

test('the auditor returns calls over the bus, and records what happens meanwhile', async () => {
  await using audited = await startAuditedBus();
  await using own = await openStoreAt(audited.url);
  await fillStore(own, calls);
  await using _auditor = await audited.start();
  const first = await audited.console.ask('auditor.replay', ALL, 20_000);
  await audited.refuse('call_meanwhile');
  await audited.settle();
  const second = await audited.console.ask('auditor.replay', { cursor: first.cursor ?? '' }, 20_000);
  expect(second.calls.length).toBeGreaterThan(0);
  expect(await audited.verify()).toMatchObject({ intact: true });
});
