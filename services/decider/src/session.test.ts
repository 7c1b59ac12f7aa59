import { type Session, sessionSchema, sha256 } from '@interlock/contracts';
import { eventually, startTestBus, type TestBus } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nowMs } from './decision.fixture.ts';
import { openSessions, type SessionRecords, type Sessions } from './session.ts';

const DEADLINE_MS = 5_000;
let testBus: TestBus;
let one: Sessions;
let other: Sessions;

beforeAll(async () => {
  testBus = await startTestBus();
  [one, other] = await Promise.all([replica(), replica()]);
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await testBus[Symbol.asyncDispose]();
});

async function replica(): Promise<Sessions> {
  return await openSessions((await testBus.busOf('decider')).records('sessions', sessionSchema));
}

async function stored(session: string) {
  const records = (await testBus.busOf('decider')).records('sessions', sessionSchema);
  return (await records.get(`acme.${session}`))?.value;
}

function named(session: string) {
  return { tenant: 'acme', session, agent: 'clerk', user: 'ada' };
}

function denial(at: number) {
  return { at, tool: 'pay', argumentsDigest: sha256('{}') };
}

describe('a session', () => {
  test('has used nothing when it is opened, and is durable before a call in it is decided', async () => {
    const opened = await one.of(named('fresh'), nowMs);
    expect(opened).toMatchObject({ used: { tools: [], destinations: [] }, denied: [], openedAt: nowMs });
    expect(await stored('fresh')).toEqual(opened);
  });

  test('is opened once, whoever asks first', async () => {
    const [first, second] = await Promise.all([
      one.of(named('race'), nowMs),
      other.of(named('race'), nowMs + 1),
    ]);
    expect(first).toEqual(second);
  });

  test('[P-session-memory] keeps what two replicas write at the same time', async () => {
    const tools = Array.from({ length: 12 }, (_, index) => `tool_${index}`);
    const use = (replica: Sessions, tool: string) =>
      replica.use(named('both'), { tool, destinations: [`https://${tool}.example.com`] }, nowMs);
    await Promise.all(tools.map((tool, index) => use(index % 2 === 0 ? one : other, tool)));
    expect((await stored('both'))?.used.tools.toSorted()).toEqual(tools.toSorted());
    expect((await stored('both'))?.used.destinations).toHaveLength(12);
  });

  test('is written once for the same use', async () => {
    const records = (await testBus.busOf('decider')).records('sessions', sessionSchema);
    const use = { tool: 'read', destinations: ['https://a.example.com'] };
    await one.use(named('same'), use, nowMs);
    const first = await records.get('acme.same');
    await Promise.all([one.use(named('same'), use, nowMs), one.use(named('same'), use, nowMs)]);
    expect((await records.get('acme.same'))?.revision).toBe(first?.revision);
  });

  test('stores no more than fits, so that what is new past that stays new', async () => {
    const destinations = Array.from({ length: 600 }, (_, index) => `https://h${index}.example.com`);
    await one.use(named('full'), { tool: 'read', destinations }, nowMs);
    await one.use(named('full'), { tool: 'write', destinations: ['https://late.example.com'] }, nowMs);
    const { used } = await one.of(named('full'), nowMs);
    expect(used.destinations).toHaveLength(512);
    expect(used.destinations).not.toContain('https://late.example.com');
    expect(used.tools).toEqual(['read', 'write']);
  });
});

test('[P-session-memory] a session of long destinations takes no more room than one of usual ones', async () => {
  const destinations = Array.from(
    { length: 500 },
    (_, index) => `https://${'h'.repeat(900)}${index}.example.com`,
  );
  await one.use(named('long'), { tool: 'read', destinations }, nowMs);
  await one.use(named('long'), { tool: 'write', destinations: ['https://a.example.com'] }, nowMs);
  const { used } = await one.of(named('long'), nowMs);
  expect(JSON.stringify(used).length).toBeLessThan(34_000);
  expect(used.tools).toEqual(['read', 'write']);
});

describe('a denial', () => {
  test('[P-session-memory] is known to every replica, also to one that has cached the session', async () => {
    await Promise.all([one.of(named('denied'), nowMs), other.of(named('denied'), nowMs)]);
    await one.deny(named('denied'), denial(nowMs), nowMs);
    const known = await eventually(async () => {
      const { denied } = await other.of(named('denied'), nowMs);
      return denied.length > 0 && denied;
    }, DEADLINE_MS);
    expect(known).toEqual([denial(nowMs)]);
  });

  test('counts once, however often it is stored', async () => {
    await one.deny(named('twice'), denial(nowMs), nowMs);
    await Promise.all([
      one.deny(named('twice'), denial(nowMs), nowMs),
      other.deny(named('twice'), denial(nowMs), nowMs),
    ]);
    expect((await stored('twice'))?.denied).toEqual([denial(nowMs)]);
  });

  test('is dropped for newer ones, the oldest first', async () => {
    for (let at = 0; at < 66; at += 1) await one.deny(named('many'), denial(nowMs + at), nowMs);
    const { denied } = await one.of(named('many'), nowMs);
    expect(denied).toHaveLength(64);
    expect(denied[0]?.at).toBe(nowMs + 2);
  });
});

test('[P-unsure-means-no] no session is returned while its store does not answer', async () => {
  const lost = await startTestBus();
  const records = (await lost.busOf('decider')).records('sessions', sessionSchema);
  await using sessions = await openSessions(records);
  await sessions.of(named('lost'), nowMs);
  await lost.nats[Symbol.asyncDispose]();
  const away = expect.objectContaining({ code: 'dependency_unavailable' });
  await eventually(async () => {
    await expect(sessions.of(named('lost'), nowMs)).rejects.toThrow(away);
    return true;
  }, DEADLINE_MS);
  await expect(sessions.deny(named('lost'), denial(nowMs), nowMs)).rejects.toThrow(away);
  await lost[Symbol.asyncDispose]();
});

test('a session goes on from what the leader has when its store was set back', async () => {
  let stored: { value: Session; revision: number } | undefined;
  const records: SessionRecords = {
    get: async () => stored,
    put: async (_key, value, expected) => {
      if ((stored?.revision ?? 0) !== expected) return undefined;
      const revision = Number(expected) + 1;
      stored = { value, revision };
      return revision;
    },
    watch: async () => ({ current: true, [Symbol.asyncDispose]: async () => undefined }),
  };
  await using sessions = await openSessions(records);
  await sessions.of(named('back'), nowMs);
  const copy = stored;
  await sessions.use(named('back'), { tool: 'read', destinations: [] }, nowMs);
  stored = copy;
  await sessions.use(named('back'), { tool: 'pay', destinations: [] }, nowMs);
  expect(stored?.value.used.tools).toEqual(['pay']);
});
