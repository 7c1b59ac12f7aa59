import { inspect } from 'node:util';
import { Fault, newId } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { eventually, type RedisServer, startRedis } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Charge } from './charge.ts';
import { countersOn, type Installation, readyCounters, startInstallation } from './counters.fixture.ts';
import type { Counters } from './counters.ts';

const HOUR_MS = 3_600_000;
let redis: RedisServer;
let installation: Installation;
let counters: Counters;

beforeAll(async () => {
  redis = await startRedis();
  installation = await startInstallation();
  counters = await readyCounters(redis, installation);
});
afterAll(async () => {
  await counters?.[Symbol.asyncDispose]();
  await installation?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

describe('charging', () => {
  test('a rate lets through as many calls as it says, refuses the next and says how long to wait', async () => {
    const limit = rate(3);
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await chargeTo(counters, [limit]));
    expect(answers.slice(0, 3)).toEqual([2, 1, 0].map((left) => ({ kind: 'admitted', left: [left] })));
    expect(answers[3]).toMatchObject({ kind: 'refused', index: 0 });
    const { waitMs } = refusedOf(answers[3]);
    expect(waitMs).toBeGreaterThan(HOUR_MS / 3 - 60_000);
    expect(waitMs).toBeLessThanOrEqual(HOUR_MS / 3);
  });

  test('two hundred calls racing for ten slots get exactly ten', async () => {
    const limit = concurrency(10);
    const answers = await Promise.all(Array.from({ length: 200 }, () => chargeTo(counters, [limit])));
    expect(answers.filter(({ kind }) => kind === 'admitted')).toHaveLength(10);
  });

  test('a call that one limit refuses is not charged to the others', async () => {
    const [free, full, budget] = [rate(1), concurrency(1), spend(1_000, 1_000)];
    await chargeTo(counters, [full]);
    expect(await chargeTo(counters, [free, full, budget])).toMatchObject({ kind: 'refused', index: 1 });
    expect(await chargeTo(counters, [free, budget])).toEqual({ kind: 'admitted', left: [0, 0] });
  });

  test('of several limits that refuse, the one with the longest wait is named', async () => {
    const [slot, hourly] = [concurrency(1), rate(1)];
    await chargeTo(counters, [slot, hourly]);
    expect(await chargeTo(counters, [slot, hourly])).toMatchObject({ kind: 'refused', index: 1 });
  });

  test('[P-limits-never-forget] the same call charged again gets its first answer and is not charged twice', async () => {
    const limit = rate(2);
    const call = newId('call');
    const first = await chargeTo(counters, [limit], call);
    expect(await chargeTo(counters, [limit], call)).toEqual(first);
    expect(await chargeTo(counters, [limit])).toEqual({ kind: 'admitted', left: [0] });
    expect(refusedOf(await chargeTo(counters, [limit], 'again')).index).toBe(0);
  });

  test('a refused call charged again is refused again, even when a slot became free', async () => {
    const limit = concurrency(1);
    const [holder, refused] = [newId('call'), newId('call')];
    await chargeTo(counters, [limit], holder);
    const first = await chargeTo(counters, [limit], refused);
    await counters.release({ tenant: 't', call: holder }, 'settled');
    expect(await chargeTo(counters, [limit], refused)).toEqual(first);
  });

  test('a budget refuses what it has no longer left and keeps exact sums', async () => {
    const tenth = spend(100_000, 300_000);
    for (const left of [200_000, 100_000, 0])
      expect(await chargeTo(counters, [tenth])).toEqual({ kind: 'admitted', left: [left] });
    expect(refusedOf(await chargeTo(counters, [tenth])).waitMs).toBeLessThanOrEqual(HOUR_MS);
    expect(await chargeTo(counters, [{ ...tenth, amountMicros: 0 }])).toEqual({
      kind: 'admitted',
      left: [0],
    });
  });
});

describe('[P-limits-day] a budget for a day of the calendar', () => {
  /** A budget whose days begin so many milliseconds before and after now, by the clock that Redis has here. */
  const daily = (starts: number[], known = spend(600, 1_000)): Charge => {
    const { windowMs: _, ...rest } = known;
    return { ...rest, day: 'Europe/Berlin', days: starts.map((ms) => Date.now() + ms) };
  };

  test('refuses what it has no longer left until the next day begins, and then has all of it again', async () => {
    const budget = spend(600, 1_000);
    const today = daily([-30 * HOUR_MS, -6 * HOUR_MS, 2 * HOUR_MS, 26 * HOUR_MS], budget);
    expect(await chargeTo(counters, [today])).toEqual({ kind: 'admitted', left: [400] });
    const { waitMs } = refusedOf(await chargeTo(counters, [today]));
    expect(waitMs).toBeGreaterThan(HOUR_MS);
    expect(waitMs).toBeLessThanOrEqual(2 * HOUR_MS);
    // The same counter, a day later.
    const tomorrow = daily([-6 * HOUR_MS, -1_000, 2 * HOUR_MS, 26 * HOUR_MS], budget);
    expect(await chargeTo(counters, [tomorrow])).toEqual({ kind: 'admitted', left: [400] });
    // And when the clock is set back, the later day goes on.
    expect(refusedOf(await chargeTo(counters, [today])).index).toBe(0);
  });

  test('is not charged where the clocks of limiter and Redis are days apart', async () => {
    const slot = concurrency(1);
    const wrong = daily([50 * HOUR_MS, 74 * HOUR_MS]);
    await expect(chargeTo(counters, [slot, wrong])).rejects.toMatchObject({ code: 'dependency_unavailable' });
    expect(await chargeTo(counters, [slot])).toMatchObject({ kind: 'admitted' });
  });
});

describe('[P-obligations] a budget of policy', () => {
  test('is charged with the others or not at all, never forgets, and is refunded when the call is refused', async () => {
    const [slot, budget] = [concurrency(5), { ...spend(600, 1_000), kind: 'volume' as const }];
    const call = newId('call');
    expect(await chargeTo(counters, [slot, budget], call)).toEqual({ kind: 'admitted', left: [4, 400] });
    expect(await chargeTo(counters, [slot, budget], call)).toEqual({ kind: 'admitted', left: [4, 400] });
    expect(refusedOf(await chargeTo(counters, [slot, budget])).index).toBe(1);
    expect(await chargeTo(counters, [slot])).toEqual({ kind: 'admitted', left: [3] });
    await counters.release({ tenant: 't', call }, 'refused');
    expect(await chargeTo(counters, [budget])).toEqual({ kind: 'admitted', left: [400] });
  });
});

describe('releasing', () => {
  test('a settled call releases its slot and gets no refund', async () => {
    const [slot, budget] = [concurrency(1), spend(600, 1_000)];
    const call = newId('call');
    await chargeTo(counters, [slot, budget], call);
    await counters.release({ tenant: 't', call }, 'settled');
    expect(await chargeTo(counters, [slot])).toMatchObject({ kind: 'admitted' });
    expect(await chargeTo(counters, [budget])).toMatchObject({ kind: 'refused' });
  });

  test('a call refused later is refunded once, however often its refusal is delivered', async () => {
    const budget = spend(600, 1_000);
    const call = newId('call');
    await chargeTo(counters, [{ ...budget, amountMicros: 400 }]);
    await chargeTo(counters, [budget], call);
    for (let i = 0; i < 3; i++) await counters.release({ tenant: 't', call }, 'refused');
    expect(await chargeTo(counters, [budget])).toEqual({ kind: 'admitted', left: [0] });
  });

  test('a slot that is not released expires', async () => {
    const limit = concurrency(1);
    await chargeTo(counters, [limit], newId('call'), 200);
    await expect.poll(() => chargeTo(counters, [limit]).then(({ kind }) => kind)).toBe('admitted');
  });
});

describe('a Redis that lost its counters', () => {
  test('[P-limits-never-forget] gives no free tokens, slots or money, and recovers as time passes', async () => {
    await using own = await startRedis();
    await using empty = await startInstallation();
    await using limiter = await readyCounters(own, empty);
    const [hourly, slot, budget, quick] = [rate(10), concurrency(10), spend(1, 10), rate(10, 1_000)];
    expect(await chargeTo(limiter, [hourly, slot, budget])).toMatchObject({ kind: 'admitted' });
    await own.command('FLUSHALL');
    for (const limit of [hourly, slot, budget])
      expect(await chargeTo(limiter, [limit])).toMatchObject({ kind: 'refused' });
    await expect.poll(() => chargeTo(limiter, [quick]).then(({ kind }) => kind)).toBe('admitted');
  });

  test('[P-limits-never-forget] is noticed without a call, and said in the log, the readiness and the refusal of each limit', async () => {
    await using own = await startRedis();
    await using empty = await startInstallation();
    const warned: unknown[] = [];
    const log = { info() {}, warn: (fields: object, message: string) => warned.push({ fields, message }) };
    await using limiter = countersOn(own, empty, { log });
    await eventually(() => limiter.ready === true);
    expect(limiter.lostAt).toBeUndefined();
    await own.command('FLUSHALL');
    const lostAt = await eventually(() => limiter.lostAt);
    expect(warned).toEqual([
      { fields: { lostAt }, message: expect.stringContaining('Redis lost its counters') },
    ]);
    for (const limit of [rate(1), concurrency(1), spend(1, 10)])
      expect(await chargeTo(limiter, [limit])).toMatchObject({
        kind: 'refused',
        lostAtMs: Date.parse(lostAt),
      });
  });

  test('is noticed after a restart, which forgets what was not on disk', async () => {
    await using own = await startRedis({ appendonly: 'no' });
    await using empty = await startInstallation();
    await using limiter = await readyCounters(own, empty);
    const hourly = rate(10);
    await chargeTo(limiter, [hourly]);
    await own.server.kill();
    await expect(chargeTo(limiter, [hourly])).rejects.toThrow(Fault);
    expect(limiter.ready).not.toBe(true);
    await own.server.restart();
    await expect.poll(() => limiter.ready, { timeout: 10_000 }).toBe(true);
    expect(await chargeTo(limiter, [hourly])).toMatchObject({ kind: 'refused' });
  });

  test('is not assumed when every charge was on disk before it was answered', async () => {
    await using own = await startRedis({ appendonly: 'yes', appendfsync: 'always' });
    await using empty = await startInstallation();
    await using limiter = await readyCounters(own, empty);
    const hourly = rate(10);
    await chargeTo(limiter, [hourly]);
    await own.server.kill();
    await own.server.restart();
    await expect.poll(() => limiter.ready, { timeout: 10_000 }).toBe(true);
    expect(await chargeTo(limiter, [hourly])).toEqual({ kind: 'admitted', left: [8] });
  });

  test('is known to every replica, whichever notices first', async () => {
    await using own = await startRedis();
    await using empty = await startInstallation();
    const replicas = await Promise.all(Array.from({ length: 5 }, () => readyCounters(own, empty)));
    const hourly = rate(100);
    await own.command('FLUSHALL');
    const answers = await Promise.all(replicas.map((replica) => chargeTo(replica, [hourly])));
    expect(answers.map(({ kind }) => kind)).toEqual(replicas.map(() => 'refused'));
    await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
  });
});

describe('a Redis that hangs', () => {
  test('[P-recovers] leaves calls to another delivery, and is used again as soon as it answers', async () => {
    await using own = await startRedis();
    await using empty = await startInstallation();
    await using limiter = await readyCounters(own, empty);
    const hourly = rate(2);
    const call = newId('call');
    await own.server.pause();
    await expect(chargeTo(limiter, [hourly], call)).rejects.toMatchObject({ code: 'dependency_unavailable' });
    own.server.resume();
    const answer = await eventually(() => chargeTo(limiter, [hourly], call));
    expect(answer).toEqual({ kind: 'admitted', left: [1] });
  });
});

describe('a Redis that may not be used', () => {
  test('is refused while it could evict counters, and is used once it no longer can', async () => {
    await using own = await startRedis({ 'maxmemory-policy': 'allkeys-lru' });
    await using empty = await startInstallation();
    await using limiter = countersOn(own, empty);
    await expect(chargeTo(limiter, [rate(1)])).rejects.toMatchObject({ code: 'dependency_unavailable' });
    expect(limiter.ready).toContain('maxmemory-policy');
    await own.command('CONFIG SET maxmemory-policy noeviction');
    await expect.poll(() => limiter.ready, { timeout: 5_000 }).toBe(true);
  });

  test('is never logged with its password', async () => {
    await using own = await startRedis({ requirepass: 'right-password' });
    const logged: unknown[] = [];
    const note = (fields: object) => logged.push(fields);
    const url = new Secret(own.url.replace('//', '//:wrong-password@'));
    await using empty = await startInstallation();
    await using limiter = countersOn(own, empty, { url, log: { info: note, warn: note } });
    await eventually(() => logged.length > 0);
    expect(limiter.ready).not.toBe(true);
    expect(inspect(logged, { depth: null, showHidden: true })).not.toContain('wrong-password');
  });
});

function chargeTo(to: Counters, charges: Charge[], call = newId('call'), holdMs = 60_000) {
  return to.charge({ tenant: 't', call, charges, holdMs, rememberMs: 120_000 });
}

function rate(calls: number, windowMs = HOUR_MS): Charge {
  const limit = newId('rate');
  return { limit, key: `il:{limits}:rate:${limit}`, kind: 'rate', calls, windowMs };
}

function concurrency(slots: number): Charge {
  const limit = newId('slots');
  return { limit, key: `il:{limits}:concurrency:${limit}`, kind: 'concurrency', slots, unknownMs: 180_000 };
}

function spend(amountMicros: number, budgetMicros: number) {
  const limit = newId('spend');
  const key = `il:{limits}:spend:${limit}`;
  return { limit, key, kind: 'spend' as const, amountMicros, budgetMicros, windowMs: HOUR_MS };
}

function refusedOf(answer: Awaited<ReturnType<Counters['charge']>> | undefined) {
  if (answer?.kind !== 'refused') throw new Error('The call was not refused.');
  return answer;
}
