/** What the bus does when its server dies, hangs, or loses a stream. */
import { setImmediate } from 'node:timers/promises';
import { Fault } from '@interlock/contracts';
import { executorService } from '@interlock/executor';
import { eventually, makeCall, makeClaim, makeRefused, startTestBus, type TestBus } from '@interlock/testkit';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Bus, connectProvisioner, type Provisioner } from './index.ts';
import { join } from './inside.fixture.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** Within this time everything works again after its dependency came back. */
const RECOVERY_MS = 10_000;
/** An executor asks once a second how full the ledger is, and believes an answer for ten. */
const NOTICED_MS = 20_000;
const person = { person: 'ann', roles: ['admin'], tokenHash: '0'.repeat(64) };

let house: TestBus;
let core: NatsConnection;
let jsm: JetStreamManager;
let provisioner: Provisioner;
let ingress: Bus;
let decider: Bus;

beforeEach(async () => {
  house = await startTestBus();
  core = await join(house, 'provisioner');
  jsm = await jetstreamManager(core, { checkAPI: false });
  const { busSeed: seed } = await house.keysOf('provisioner');
  provisioner = await connectProvisioner({ nats: house.nats, seed, log: silent, replicas: 1 });
  [ingress, decider] = await Promise.all([house.busOf('ingress'), house.busOf('decider')]);
});
afterEach(async () => {
  await provisioner?.[Symbol.asyncDispose]();
  await core?.close();
  await house?.[Symbol.asyncDispose]();
});

function refuseAll() {
  return decider.step('decider', {
    verb: ({ event }) => ({ step: 'refused', body: makeRefused(event.call, house.keyring) }),
    poison: ({ event }, fault) => makeRefused(event.call, house.keyring, { code: fault.code }),
    concurrency: 4,
  });
}

/** Puts a call on the line as soon as the bus takes it, and waits until it was refused. */
async function goesThrough(): Promise<void> {
  const call = makeCall();
  await eventually(async () => {
    const published = await ingress.publish('requested', call, { call }, 0);
    return published.stored || (await ingress.readCall('acme', call.call)) !== undefined;
  }, RECOVERY_MS);
  await eventually(async () => (await ingress.readCall('acme', call.call))?.step === 'refused', RECOVERY_MS);
}

describe('a server that was away', () => {
  test('[P-recovers] is used again without a restart: steps go on, and watches see what they missed', async () => {
    const consoleBus = await house.busOf('console');
    const approver = await house.busOf('approver');
    await using watch = await approver.entries('people').watch();
    await using _ = await refuseAll();
    await consoleBus.entries('people').put('ann', person);
    await eventually(() => watch.get('ann') !== undefined);
    await goesThrough();

    await house.nats.server.kill();
    await eventually(() => !ingress.connected && !watch.current);
    const call = makeCall();
    await expect(ingress.publish('requested', call, { call }, 0)).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
    await house.nats.server.restart();
    // What was missed meanwhile is in no copy from before, so none is current until it is read anew.
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

  test('[P-ledger-read-back] took a claim whose acknowledgement was lost: its owner finds its own nonce', async () => {
    const executor = await house.busOf('executor');
    const claim = makeClaim(makeCall(), house.keyring, { claimMs: 5_000 });
    house.nats.server.pause();
    const claiming = executor.claim('started', claim, 0);
    // Two readings that time out take longer than an acknowledgement may.
    for (const _ of [1, 2]) await expect(ingress.readCall('acme', claim.call)).rejects.toBeInstanceOf(Fault);
    house.nats.server.resume();
    expect(await claiming).toMatchObject({ stored: true, sequence: 1 });
    expect((await ingress.readStep('started', 'acme', claim.call))?.body.nonce).toBe(claim.nonce);
  });
});

describe('a stream that is lost', () => {
  test('[P-line-vanishes] is made again when it is the line, and those who pull from it go on', async () => {
    await using _ = await refuseAll();
    await goesThrough();
    await jsm.streams.delete('LINE');
    expect(await provisioner.repairLine()).toEqual(['LINE', 'decider', 'limiter', 'approver', 'executor']);
    expect(await provisioner.repairLine()).toEqual([]);
    await goesThrough();
  });

  test('[P-ledger-missing] is not made again when it is the ledger: nothing is claimed without it, and executors are not ready', async () => {
    const { healthUrl } = await house.start([executorService]);
    const isReady = async () => (await fetch(`${healthUrl}/readyz`)).ok;
    await eventually(isReady);
    await jsm.streams.delete('LEDGER');
    expect(await provisioner.repairLine()).toEqual([]);
    await expect(jsm.streams.info('LEDGER')).rejects.toThrow('stream not found');
    await expect(ingress.streamState('LEDGER')).rejects.toMatchObject({ code: 'dependency_unavailable' });
    const executor = await house.busOf('executor');
    await expect(
      executor.claim('started', makeClaim(makeCall(), house.keyring, { claimMs: 5_000 }), 0),
    ).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
    await eventually(async () => !(await isReady()), NOTICED_MS);
  });
});
