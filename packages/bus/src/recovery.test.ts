/** The bus while its server dies, hangs, or loses a stream. */
import { glob, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Fault } from '@interlock/contracts';
import { executorService } from '@interlock/executor';
import { eventually, makeCall, makeClaim, makeRefused, startTestBus, type TestBus } from '@interlock/testkit';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Bus, connectProvisioner, type Provisioner } from './index.ts';
import { join } from './inside.fixture.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** Within this time after NATS is restarted, everything works again. */
const RECOVERY_MS = 10_000;
/** An executor asks once a second how full the ledger is, and believes an answer for ten. */
const NOTICED_MS = 20_000;
const person = { person: 'ann', roles: ['admin'], tokenHash: '0'.repeat(64) };

let testBus: TestBus;
let core: NatsConnection;
let jsm: JetStreamManager;
let provisioner: Provisioner;
let ingress: Bus;
let decider: Bus;

beforeEach(async () => {
  testBus = await startTestBus();
  core = await join(testBus, 'provisioner');
  jsm = await jetstreamManager(core, { checkAPI: false });
  const { busSeed: seed } = await testBus.keysOf('provisioner');
  provisioner = await connectProvisioner({ nats: testBus.nats, seed, log: silent, replicas: 1 });
  [ingress, decider] = await Promise.all([testBus.busOf('ingress'), testBus.busOf('decider')]);
});
afterEach(async () => {
  await provisioner?.[Symbol.asyncDispose]();
  await core?.close();
  await testBus?.[Symbol.asyncDispose]();
});

function refuseAll() {
  return decider.step('decider', {
    verb: ({ event }) => ({ step: 'refused', body: makeRefused(event.call, testBus.keyring) }),
    poison: ({ event }, fault) => makeRefused(event.call, testBus.keyring, { code: fault.code }),
    concurrency: 4,
  });
}

/** Publishes a call as soon as the bus accepts it, and waits until it is refused. */
async function goesThrough(): Promise<void> {
  const call = makeCall();
  await eventually(async () => {
    const published = await ingress.publish('requested', call, { call }, 0);
    return published.stored || (await ingress.readCall('acme', call.call)) !== undefined;
  }, RECOVERY_MS);
  await eventually(async () => (await ingress.readCall('acme', call.call))?.step === 'refused', RECOVERY_MS);
}

describe('a server that is restarted', () => {
  test('[P-recovers] is used again without a restart of the services: steps go on, and watches get what they missed', async () => {
    const consoleBus = await testBus.busOf('console');
    const approver = await testBus.busOf('approver');
    await using watch = await approver.entries('people').watch();
    await using _ = await refuseAll();
    await consoleBus.entries('people').put('ann', person);
    await eventually(() => watch.get('ann') !== undefined);
    await goesThrough();

    await testBus.nats.server.kill();
    await eventually(() => !ingress.connected && !watch.current);
    const call = makeCall();
    await expect(ingress.publish('requested', call, { call }, 0)).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
    await testBus.nats.server.restart();
    // A copy from before lacks what was missed meanwhile, so it is not current until the bucket is read again.
    const giveUpMs = performance.now() + RECOVERY_MS;
    while (!approver.connected && performance.now() < giveUpMs) await setImmediate();
    expect({ connected: approver.connected, current: watch.current }).toEqual({
      connected: true,
      current: false,
    });
    await eventually(
      async () => await consoleBus.entries('people').put('bob', { ...person, person: 'bob' }),
      RECOVERY_MS,
    );
    await eventually(() => watch.current && watch.get('bob') !== undefined, RECOVERY_MS);
    expect(watch.get('ann')).toEqual(person);
    await goesThrough();
  });

  test('[P-ledger-read-back] stored a claim whose acknowledgement was lost: its owner finds its own nonce', async () => {
    const executor = await testBus.busOf('executor');
    const claim = makeClaim(makeCall(), testBus.keyring, { claimMs: 5_000 });
    await testBus.nats.server.pause();
    const claiming = executor.claim('started', claim, 0);
    // Two readings that time out take longer than an acknowledgement may.
    for (const _ of [1, 2]) await expect(ingress.readCall('acme', claim.call)).rejects.toBeInstanceOf(Fault);
    testBus.nats.server.resume();
    expect(await claiming).toMatchObject({ stored: true, sequence: 1 });
    expect((await ingress.readStep('started', 'acme', claim.call))?.body.nonce).toBe(claim.nonce);
  });
});

describe('a stream that is lost', () => {
  test('[P-line-vanishes] is made again when it is the line, and its consumers go on', async () => {
    await using _ = await refuseAll();
    await goesThrough();
    await jsm.streams.delete('LINE');
    expect(await provisioner.repairLine()).toEqual(['LINE', 'decider', 'limiter', 'approver', 'executor']);
    expect(await provisioner.repairLine()).toEqual([]);
    await goesThrough();
  });

  test('[P-line-vanishes] by a power cut goes on with the next call, though its consumers had read further than what is left', async () => {
    await using _ = await refuseAll();
    await goesThrough();
    await eventually(async () => (await jsm.consumers.info('LINE', 'decider')).delivered.stream_seq > 0);
    await testBus.nats.server.kill();
    for await (const messages of glob('**/streams/LINE/msgs', { cwd: testBus.nats.server.folder }))
      await rm(path.join(testBus.nats.server.folder, messages), { recursive: true });
    await testBus.nats.server.restart();
    await eventually(() => provisioner.connected, RECOVERY_MS);
    expect(await provisioner.repairLine()).toEqual(['decider']);
    await goesThrough();
  });

  test('[P-ledger-missing] is not made again when it is the ledger: nothing is claimed without it, and executors are not ready', async () => {
    const { healthUrl } = await testBus.start([executorService]);
    const isReady = async () => (await fetch(`${healthUrl}/readyz`)).ok;
    await eventually(isReady);
    await jsm.streams.delete('LEDGER');
    expect(await provisioner.repairLine()).toEqual([]);
    await expect(jsm.streams.info('LEDGER')).rejects.toThrow('stream not found');
    await expect(ingress.streamState('LEDGER')).rejects.toMatchObject({ code: 'dependency_unavailable' });
    const executor = await testBus.busOf('executor');
    await expect(
      executor.claim('started', makeClaim(makeCall(), testBus.keyring, { claimMs: 5_000 }), 0),
    ).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
    await eventually(async () => !(await isReady()), NOTICED_MS);
  });
});

test('a bucket that a provisioner made in part, before it was killed, is made whole by the next one', async () => {
  const hasMessageTtl = async () => (await jsm.streams.info('KV_questions')).config.allow_msg_ttl === true;
  await jsm.streams.delete('KV_questions');
  await new Kvm(jetstream(core)).create('questions');
  expect(await hasMessageTtl()).toBe(false);
  expect(await provisioner.provision()).toEqual([]);
  expect(await hasMessageTtl()).toBe(true);
});
