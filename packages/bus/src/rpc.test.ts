import { Fault } from '@interlock/contracts';
import { startTestBus, type TestBus } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bus } from './index.ts';
import { join } from './inside.fixture.ts';

/** Nothing here waits for it; a busy machine may need seconds for an answer. */
const TIMEOUT_MS = 20_000;
const SHORT_MS = 200;
const request = { tenant: 'acme', call: 'c_1', statement: 's', arguments: '{}' };

let testBus: TestBus;
let broker: Bus;
let executor: Bus;
let console: Bus;
beforeAll(async () => {
  testBus = await startTestBus();
  [broker, executor, console] = await Promise.all([
    testBus.busOf('broker'),
    testBus.busOf('executor'),
    testBus.busOf('console'),
  ]);
});
afterAll(() => testBus?.[Symbol.asyncDispose]());

describe('a request to another service', () => {
  test('ends as `dependency_unavailable` when no service serves the verb', async () => {
    await expect(executor.ask('broker.lease', request, TIMEOUT_MS)).rejects.toMatchObject({
      code: 'dependency_unavailable',
      retryable: true,
    });
  });

  test('is answered once `serve` has resolved, which is not before the server has its subscription', async () => {
    await using auditor = await testBus.busOf('auditor');
    await testBus.nats.server.pause();
    const serving = auditor.serve('auditor.verify', () => Promise.reject(new Fault('name_unknown')));
    let serves = false;
    const noted = serving.then(() => {
      serves = true;
    });
    // A request that ran into its limit took longer than a server needs to answer that it knows of the verb.
    await expect(executor.ask('broker.lease', request, SHORT_MS)).rejects.toThrow(Fault);
    expect(serves).toBe(false);
    testBus.nats.server.resume();
    await noted;
    const verified = console.ask('auditor.verify', { waitMs: 0 }, TIMEOUT_MS);
    await expect(verified).rejects.toMatchObject({ code: 'name_unknown' });
  });

  test('gets the other service’s fault with its code, text and pointer, and of a bug nothing but `internal`', async () => {
    const thrown = [
      new Fault('lease_refused', { detail: 'Not for you.', pointer: '/call' }),
      new Error('a bug with a password in it'),
    ];
    await broker.serve('broker.lease', async () => {
      throw thrown.shift();
    });
    const lease = () => executor.ask('broker.lease', request, TIMEOUT_MS);
    await expect(lease()).rejects.toMatchObject({
      code: 'lease_refused',
      detail: 'Not for you.',
      pointer: '/call',
    });
    const fault = await lease().catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'internal' });
    expect(String(fault)).not.toContain('password');
  });

  test('without the shape of the verb is refused before the verb runs', async () => {
    const nats = await join(testBus, 'executor');
    for (const body of ['{}', JSON.stringify({ ...request, extra: 1 }), '[]', 'no JSON']) {
      const reply = await nats.request('interlock.rpc.v1.broker.lease', body, { timeout: TIMEOUT_MS });
      expect(reply.json(), body).toMatchObject({
        fault: { code: body === 'no JSON' ? 'body_malformed' : 'body_invalid' },
      });
    }
    await nats.close();
  });
});
