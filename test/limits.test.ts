import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { send } from './http.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
const DAY_MS = 86_400_000;
const CLAIM_MS = 6_000;
/** One record stands for this long a flood; it is written at the end. */
const FLOOD_MS = 25_000;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    tools: {
      slow: { claimMs: CLAIM_MS },
      idem: {
        spends: '/amount',
        inputSchema: { type: 'object', properties: { text: { type: 'string' }, amount: { type: 'number' } } },
      },
    },
    limits: [
      {
        name: 'writes',
        per: ['tenant', 'agent'],
        match: { tool: 'write' },
        rate: { calls: 3, windowMs: 60_000 },
      },
      { name: 'at-once', per: ['tool'], match: { tool: 'slow' }, concurrency: 2 },
      { name: 'budget', per: ['agent'], match: { tool: 'idem' }, spend: { amount: 10, windowMs: DAY_MS } },
    ],
    agents: [
      { agent: 'flooder', tenant: 'acme', user: 'alice', caps: { ratePerSecond: 1, burst: 2, inFlight: 10 } },
    ],
  });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

describe('a limit', () => {
  test('[P-limits-headers] of calls per window refuses the one too many, says how long to wait, and counts each agent', async () => {
    for (let count = 0; count < 3; count += 1)
      expect((await line.call('write', { text: 'a' })).status).toBe(200);
    const before = line.upstream.requests.length;
    const over = await line.call('write', { text: 'a' });
    expect(over).toMatchObject({ status: 429, body: { code: 'rate_limited', rule: 'limits/writes' } });
    const seconds = Number(over.headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(20);
    expect(over.headers.get('ratelimit')).toMatch(new RegExp(`^"[\\w.-]*writes";r=0;t=${seconds}$`));
    expect(line.upstream.requests).toHaveLength(before);
    expect((await line.call('write', { text: 'a' }, { agent: 'other' })).status).toBe(200);
  });

  test('[P-limits-never-forget] [P-idempotency-key] charges nothing for a call that is only repeated', async () => {
    const once = { idempotencyKey: 'once' };
    const first = await line.call('idem', { text: 'a', amount: 4 }, once);
    expect(first.body.outcome).toBe('succeeded');
    for (let count = 0; count < 5; count += 1)
      expect((await line.call('idem', { text: 'a', amount: 4 }, once)).body.replayed).toBe(true);
    expect((await line.call('idem', { text: 'b', amount: 4 })).status).toBe(200);
  });

  test('[P-limits-headers] of spending refuses what exceeds the budget, and what does not state its amount', async () => {
    const over = await line.call('idem', { text: 'c', amount: 4 });
    expect(over).toMatchObject({ status: 429, body: { code: 'spend_limited', rule: 'limits/budget' } });
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await line.call('idem', { text: 'd' })).body.code).toBe('spend_amount_missing');
    expect((await line.call('idem', { text: 'e', amount: -5 })).status).not.toBe(200);
    expect((await line.call('idem', { text: 'f', amount: 2 })).status).toBe(200);
    expect((await line.call('idem', { text: 'g', amount: 0.01 })).body.code).toBe('spend_limited');
  });

  test(
    '[P-limits-headers] of calls at once refuses while they last, and is free again afterwards',
    async () => {
      line.upstream.behave({ kind: 'hang' });
      const before = line.upstream.requests.length;
      const stop = new AbortController();
      const hanging = [1, 2].map(() =>
        line.call('slow', { text: 'a' }, { signal: stop.signal }).catch(() => undefined),
      );
      await eventually(() => line.upstream.requests.length === before + 2);
      const over = await line.call('slow', { text: 'b' }, { agent: 'other' });
      expect(over).toMatchObject({ status: 429, body: { code: 'concurrency_limited' } });
      expect(over.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      line.upstream.behave({ kind: 'answer' });
      stop.abort();
      await Promise.all(hanging);
      // The calls end when their tool's time is up, whoever waits for them.
      await eventually(async () => (await line.call('slow', { text: 'c' })).status === 200);
    },
    START_MS,
  );
});

describe('an agent over its caps', () => {
  test(
    '[P-ingress-caps] is answered with the time to wait, publishes nothing, and is in the audit once with a count',
    async () => {
      const key = line.interlock.context.agents['acme/flooder']?.key ?? '';
      const url = new URL('/v1/calls', line.interlock.ingress);
      const body = { tool: 'read', arguments: { id: 1 } };
      const before = line.upstream.requests.length;
      const answers = await Promise.all(
        Array.from({ length: 40 }, () => send(url, { method: 'POST', token: key, body })),
      );
      const flooded = answers.filter(({ status }) => status === 429);
      expect(flooded.length).toBeGreaterThanOrEqual(35);
      expect(line.upstream.requests).toHaveLength(before + answers.length - flooded.length);
      for (const { body: problem, headers } of flooded) {
        expect(problem).toMatchObject({ code: 'agent_flood' });
        expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(headers.get('ratelimit')).toMatch(/^"agent";r=0;t=[1-9]\d*$/);
        expect(headers.get('ratelimit-policy')).toBe('"agent";q=2;w=2');
      }
      const records = await eventually(async () => {
        const found = await line.person('alice').get('/v1/audit/search?agent=flooder&step=refused');
        const { records } = recordsSchema.parse(found.body);
        return records.length > 0 && records;
      }, FLOOD_MS);
      expect(records.map(({ event }) => event)).toEqual([
        expect.objectContaining({ code: 'agent_flood', by: 'ingress', count: flooded.length }),
      ]);
    },
    START_MS,
  );
});

const recordsSchema = z.object({
  records: z.array(z.object({ event: z.looseObject({ code: z.string() }) })),
});
