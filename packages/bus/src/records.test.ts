/** Reading buckets: very often, and while the server dies. */
import { Fault } from '@interlock/contracts';
import { eventually, startTestBus, type TestBus } from '@interlock/testkit';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Bus, Records } from './index.ts';
import { join } from './inside.fixture.ts';

/** Within this time after NATS is restarted, everything works again. */
const RECOVERY_MS = 10_000;
/** One more than the consumers that the server allows for a bucket. */
const READINGS = 1_001;
const AT_ONCE = 20;
const noteSchema = z.strictObject({ note: z.string() });

let testBus: TestBus;
let core: NatsConnection;
let jsm: JetStreamManager;
let reader: Bus;
let notes: Records<z.infer<typeof noteSchema>>;
let reading: typeof notes;

beforeEach(async () => {
  testBus = await startTestBus();
  core = await join(testBus, 'provisioner');
  jsm = await jetstreamManager(core, { checkAPI: false });
  reader = await testBus.busOf('console');
  notes = (await testBus.busOf('approver')).records('questions', noteSchema);
  reading = reader.records('questions', noteSchema);
});
afterEach(async () => {
  await core?.close();
  await testBus?.[Symbol.asyncDispose]();
});

async function readersAtServer(): Promise<number> {
  return (await jsm.streams.info('KV_questions')).state.consumer_count;
}

describe('a bucket that is read', () => {
  test('throws while NATS is down, and is read whole after NATS is restarted', async () => {
    await notes.put('acme.one', { note: 'one' }, 0);
    await testBus.nats.server.kill();
    await eventually(() => !reader.connected);
    await expect(reading.list()).rejects.toMatchObject({ code: 'dependency_unavailable' });
    await testBus.nats.server.restart();
    expect(await eventually(() => reading.list(), RECOVERY_MS)).toMatchObject([{ key: 'acme.one' }]);
  });

  test('again and again while the server dies is returned whole or not at all', async () => {
    for (const key of ['acme.one', 'acme.two', 'acme.three']) await notes.put(key, { note: key }, 0);
    const results: (number | string)[] = [];
    const stopping = new AbortController();
    const readers = Array.from({ length: 4 }, async () => {
      while (!stopping.signal.aborted) {
        results.push(
          await reading.list().then(
            ({ length }) => length,
            (fault: unknown) => codeOf(fault),
          ),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    for (let death = 0; death < 2; death += 1) {
      await testBus.nats.server.kill();
      await eventually(() => !reader.connected);
      await testBus.nats.server.restart();
      const before = results.length;
      await eventually(() => results.slice(before).includes(3), RECOVERY_MS);
    }
    stopping.abort();
    await Promise.all(readers);
    expect(new Set(results)).toEqual(new Set([3, 'dependency_unavailable']));
  });

  test('leaves no consumer at the server, so that no number of readings locks out the next', async () => {
    await notes.put('acme.one', { note: 'one' }, 0);
    for (let read = 0; read < READINGS; read += AT_ONCE)
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => expect(await reading.list()).toHaveLength(1)),
      );
    expect(await readersAtServer()).toBe(0);
  });

  test('leaves no consumer at the server when a watch ends', async () => {
    const seen: string[] = [];
    const watch = await reading.watch((key) => void seen.push(key));
    await notes.put('acme.one', { note: 'one' }, 0);
    await eventually(() => seen.includes('acme.one'));
    expect(await readersAtServer()).toBe(1);
    await watch[Symbol.asyncDispose]();
    expect(await readersAtServer()).toBe(0);
  });

  test('has every key once, with its last value; an empty bucket has none', async () => {
    expect(await reading.list()).toEqual([]);
    const first = await notes.put('acme.one', { note: 'one' }, 0);
    await notes.put('acme.two', { note: 'two' }, 0);
    await notes.put('acme.one', { note: 'again' }, first ?? 0);
    const values = (await reading.list()).map(({ key, value }) => [key, value.note]);
    expect(values.sort()).toEqual([
      ['acme.one', 'again'],
      ['acme.two', 'two'],
    ]);
  });
});

function codeOf(fault: unknown): string {
  return fault instanceof Fault ? fault.code : String(fault);
}
