import { afterEach, beforeEach, expect, test } from 'vitest';
import { HealthBoard, type HealthServer, startHealthServer } from './health.ts';
import { counter, gauge, histogram } from './metrics.ts';

let board: HealthBoard;
let server: HealthServer;
beforeEach(async () => {
  board = new HealthBoard();
  server = await startHealthServer(board, { host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

async function get(path: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const response = await fetch(server.url + path, { method });
  return { status: response.status, text: await response.text() };
}

test('a process is not ready while one check does not hold, and lists every check with its reason', async () => {
  let bus: true | string = 'disconnected from NATS';
  board.add('store', () => true);
  board.part('limiter').add('bus', () => bus);
  const away = await get('/readyz');
  expect(away.status).toBe(503);
  expect(JSON.parse(away.text)).toEqual({
    ready: false,
    checks: { store: true, 'limiter.bus': 'disconnected from NATS' },
    facts: {},
  });
  bus = true;
  expect((await get('/readyz')).status).toBe(200);
});

test('a check that throws does not hold, and its error is not shown', async () => {
  board.add('store', () => {
    throw new Error('swordfish');
  });
  const { status, text } = await get('/readyz');
  expect(status).toBe(503);
  expect(text).not.toContain('swordfish');
});

test('an unknown address and another method are refused', async () => {
  expect((await get('/else')).status).toBe(404);
  expect((await get('/readyz', 'POST')).status).toBe(405);
});

test('a metric is never labelled with an id', () => {
  expect(() => counter('test_calls_total', 'Calls.', ['tool', 'agent'])).toThrow('ids never label a metric');
  expect(() => histogram('test_seconds', 'Calls.', ['callId'])).toThrow('ids never label a metric');
});

test('facts are listed when they are known', async () => {
  board.addFact('policy', () => 'abc');
  board.addFact('unknown', () => undefined);
  expect(JSON.parse((await get('/readyz')).text)).toMatchObject({ ready: true, facts: { policy: 'abc' } });
});

test('a process answers that it lives', async () => {
  expect(await get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
});

test('metrics are Prometheus text with memory, event loop lag and what a service counts', async () => {
  counter('test_refusals_total', 'Refusals.', ['code']).inc({ code: 'killed' });
  histogram('test_hop_seconds', 'Hops.').observe(0.002);
  gauge('test_open', 'Open.', () => 7);
  const { text } = await get('/metrics');
  expect(text).toContain('test_refusals_total{code="killed"} 1');
  expect(text).toContain('test_hop_seconds_bucket{le="0.0025"} 1');
  expect(text).toContain('test_open 7');
  expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
});
