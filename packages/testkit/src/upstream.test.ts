import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { startUpstream, type Upstream, type UpstreamBehaviour } from './upstream.ts';

let upstream: Upstream;
beforeEach(async () => {
  upstream = await startUpstream({ credential: 'swordfish' });
});
afterEach(async () => {
  await upstream[Symbol.asyncDispose]();
});

function post(call: string, credential = 'swordfish', signal?: AbortSignal): Promise<Response> {
  return fetch(`${upstream.url}/notes?x=1`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'interlock-call': call },
    body: 'hello',
    ...(signal === undefined ? {} : { signal }),
  });
}

test('a request with the wrong credential has no effect and is recorded', async () => {
  expect((await post('call_1', 'guess')).status).toBe(401);
  expect(upstream.effects.size).toBe(0);
  expect(upstream.requests).toMatchObject([{ call: 'call_1', authorized: false }]);
});

test('a request that is set to fail has no effect', async () => {
  upstream.behave({ kind: 'fail', status: 503 });
  expect((await post('call_1')).status).toBe(503);
  expect(upstream.effects.size).toBe(0);
});

test('effects are counted per call', async () => {
  await post('call_1');
  await post('call_1');
  await post('call_2');
  expect(Object.fromEntries(upstream.effects)).toEqual({ call_1: 2, call_2: 1 });
});

test('a request is recorded as it arrived', async () => {
  await post('call_1');
  expect(upstream.requests).toMatchObject([
    { method: 'POST', url: '/notes?x=1', body: 'hello', call: 'call_1', authorized: true },
  ]);
});

test('a dropped connection comes after the effect', async () => {
  upstream.behave({ kind: 'drop' });
  await expect(post('call_1')).rejects.toThrow('fetch failed');
  expect(upstream.effects.get('call_1')).toBe(1);
});

test('a hanging upstream does not answer, and stops all the same', async () => {
  upstream.behave({ kind: 'hang' });
  const leaving = new AbortController();
  const asked = expect(post('call_1', 'swordfish', leaving.signal)).rejects.toThrow('enough');
  await eventually(() => upstream.effects.get('call_1') === 1);
  leaving.abort(new Error('enough'));
  await asked;
});

test.each<[string, (until: Promise<unknown>) => UpstreamBehaviour]>([
  ['a delayed answer', () => ({ kind: 'delay', delayMs: 500 })],
  ['an answer that waits', (until) => ({ kind: 'wait', until })],
])('%s arrives after its effect, and after answers that were asked for later', async (_, slow) => {
  const later = Promise.withResolvers<void>();
  upstream.behave(slow(later.promise));
  const order: string[] = [];
  const delayed = post('call_1').then(({ status }) => order.push(`delayed ${status}`));
  await eventually(() => upstream.effects.get('call_1') === 1);
  upstream.behave({ kind: 'answer' });
  order.push(`prompt ${(await post('call_2')).status}`);
  later.resolve();
  await delayed;
  expect(order).toEqual(['prompt 200', 'delayed 200']);
});

test('an echo holds the credential', async () => {
  upstream.behave({ kind: 'echo' });
  expect(await (await post('call_1')).json()).toEqual({ credential: 'swordfish' });
});

test('a huge answer has exactly the bytes that were asked for', async () => {
  upstream.behave({ kind: 'huge', bytes: 1_000_000 });
  expect(await (await post('call_1')).text()).toHaveLength(1_000_000);
});
