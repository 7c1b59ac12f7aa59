import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
const WINDOW_MS = 5_000;

let line: Line;
beforeAll(async () => {
  const rate = { calls: 1, windowMs: WINDOW_MS };
  line = await startLine({ limits: [{ name: 'slowly', per: ['agent'], match: { tool: 'slow' }, rate }] });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

describe('a request under an Idempotency-Key', () => {
  test('[P-idempotency-key] that was carried out is answered again from what was stored', async () => {
    line.upstream.behave({ kind: 'answer', body: { number: 1 } });
    const first = await line.call('write', { text: 'a' }, { idempotencyKey: 'again' });
    line.upstream.behave({ kind: 'answer', body: { number: 2 } });
    const second = await line.call('write', { text: 'a' }, { idempotencyKey: 'again' });
    expect(second.body).toEqual({ ...first.body, replayed: true });
    expect(line.upstream.effects.get(first.body.call ?? '')).toBe(1);
  });

  test('[P-idempotency-key] with other arguments or another tool is refused', async () => {
    const before = line.upstream.requests.length;
    for (const other of [
      await line.call('write', { text: 'b' }, { idempotencyKey: 'again' }),
      await line.call('idem', { text: 'a' }, { idempotencyKey: 'again' }),
    ])
      expect(other.body).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    expect(line.upstream.requests).toHaveLength(before);
  });

  test('[P-idempotency-key] is its agent’s own: another agent’s same key names another call', async () => {
    const mine = await line.call('write', { text: 'a' }, { idempotencyKey: 'shared' });
    const hers = await line.call('write', { text: 'a' }, { idempotencyKey: 'shared', agent: 'other' });
    expect(hers.body.outcome).toBe('succeeded');
    expect(hers.body.call).not.toBe(mine.body.call);
  });

  test('[P-idempotency-key] [P-ledger-claim-once] sent twenty times at once has one effect and one outcome', async () => {
    line.upstream.behave({ kind: 'delay', delayMs: 200 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => line.call('write', { text: 'many' }, { idempotencyKey: 'many' })),
    );
    line.upstream.behave({ kind: 'answer' });
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.outcome} ${body.call}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    expect(line.upstream.effects.get(answers[0]?.body.call ?? '')).toBe(1);
  });

  test('[P-idempotency-key] that policy or schema refused stays refused', async () => {
    const first = await line.call('write', { text: 7 }, { idempotencyKey: 'wrong' });
    const second = await line.call('write', { text: 7 }, { idempotencyKey: 'wrong' });
    expect(second).toMatchObject({ status: 422, body: { code: 'arguments_invalid', call: first.body.call } });
    expect(second.text).toBe(first.text);
  });

  test('[P-idempotency-key] runs anew after a refusal that passes, as another call, and then no more', async () => {
    await eventually(async () => (await line.call('slow', { text: 'full' })).status === 200, 2 * WINDOW_MS);
    const limited = await line.call('slow', { text: 'later' }, { idempotencyKey: 'later' });
    expect(limited).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    const againMs = performance.now() + 1_000 * Number(limited.headers.get('retry-after'));
    await eventually(() => performance.now() >= againMs, 2 * WINDOW_MS);
    const done = await eventually(async () => {
      const retried = await line.call('slow', { text: 'later' }, { idempotencyKey: 'later' });
      return retried.status === 200 && retried;
    }, 3 * WINDOW_MS);
    expect(done.body.call).not.toBe(limited.body.call);
    const after = await line.call('slow', { text: 'later' }, { idempotencyKey: 'later' });
    expect(after.body).toMatchObject({ call: done.body.call, replayed: true });
    const effects = line.upstream.requests.filter(({ body }) => body.includes('later'));
    expect(effects).toHaveLength(1);
  });
});
