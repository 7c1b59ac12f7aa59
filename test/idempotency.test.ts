import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    limits: [{ name: 'one-by-one', per: ['agent'], match: { tool: 'slow' }, concurrency: 1 }],
  });
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
    const over = Promise.withResolvers<void>();
    line.upstream.behave({ kind: 'wait', until: over.promise }, '/slow');
    const occupying = line.call('slow', { text: 'first' });
    await eventually(() => line.upstream.requests.some(({ body }) => body.includes('first')));
    const later = () => line.call('slow', { text: 'later' }, { idempotencyKey: 'later' });
    const limited = await later();
    expect(limited).toMatchObject({ status: 429, body: { code: 'concurrency_limited' } });
    over.resolve();
    expect((await occupying).status).toBe(200);
    const done = await eventually(async () => {
      const retried = await later();
      return retried.status === 200 && retried;
    });
    expect(done.body.call).not.toBe(limited.body.call);
    expect((await later()).body).toMatchObject({ call: done.body.call, replayed: true });
    expect(line.upstream.requests.filter(({ body }) => body.includes('later'))).toHaveLength(1);
  });
});
