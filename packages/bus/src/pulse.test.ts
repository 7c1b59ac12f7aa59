/** What a service knows of the server: how old that is, whether the clocks agree, and whether the server still writes. */
import { newId, type ServiceName } from '@interlock/contracts';
import { eventually, limitWrites, makeRefused, startTestBus, type TestBus } from '@interlock/testkit';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Bus, type BusClock, connectBus, connectProvisioner, type Provisioner } from './index.ts';
import { join } from './inside.fixture.ts';
import { beyond, startPulse } from './pulse.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const on = { on: true, by: 'ann', at: 1 };
const DAY_MS = 86_400_000;
const ASK_MS = 5_000;

let testBus: TestBus;
let consoleBus: Bus;
let stack: AsyncDisposableStack;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  testBus = stack.use(await startTestBus());
  consoleBus = await testBus.busOf('console');
});
afterEach(() => stack?.disposeAsync());

/** A clock that a test sets ahead, on the wall or since the start. */
class SetClock implements BusClock {
  aheadMs = 0;
  elapsedMs = 0;
  nowMs = () => Date.now() + this.aheadMs;
  monotonicMs = () => performance.now() + this.elapsedMs;
}

async function busWith(service: ServiceName, clock: BusClock): Promise<Bus> {
  const keys = await testBus.keysOf(service);
  const options = { service, nats: testBus.nats, keys, keyring: testBus.keyring };
  return stack.use(await connectBus({ ...options, clock, log: silent }));
}

const executorWith = (clock: BusClock) => busWith('executor', clock);

async function core(): Promise<{ nats: NatsConnection; jsm: JetStreamManager }> {
  const nats = stack.adopt(await join(testBus, 'provisioner'), (one) => one.close());
  return { nats, jsm: await jetstreamManager(nats, { checkAPI: false }) };
}

describe('[P-kill-within-a-second] a copy of the kill switches', () => {
  test('is current no longer when the server was not heard for a second, though the connection stands', async () => {
    const clock = new SetClock();
    const executor = await executorWith(clock);
    const switches = stack.use(await executor.entries('switches').watch());
    await eventually(() => switches.current);
    await testBus.nats.server.pause();
    clock.elapsedMs += 1_001;
    expect({ connected: executor.connected, current: switches.current }).toEqual({
      connected: true,
      current: false,
    });
    testBus.nats.server.resume();
    await eventually(() => switches.current);
  });

  test('that the server delivers nothing to any more is read again', async () => {
    const executor = await testBus.busOf('executor');
    const switches = stack.use(await executor.entries('switches').watch());
    await eventually(() => switches.current);
    const { jsm } = await core();
    for await (const { name } of jsm.consumers.list('KV_switches'))
      await jsm.consumers.delete('KV_switches', name);
    await consoleBus.entries('switches').put('all', on);
    await eventually(() => switches.current && switches.get('all')?.on === true);
  });

  test('that was emptied is current', async () => {
    await consoleBus.entries('switches').put('all', on);
    const { jsm } = await core();
    await jsm.streams.purge('KV_switches');
    const executor = await testBus.busOf('executor');
    const switches = stack.use(await executor.entries('switches').watch());
    await eventually(() => switches.current);
  });
});

describe('[P-kill-store-ill] a switch that is announced', () => {
  test('reaches its readers though it is not stored, and what comes after it counts', async () => {
    const executor = await testBus.busOf('executor');
    const switches = stack.use(await executor.entries('switches').watch());
    await consoleBus.entries('switches').announce('all', on);
    await eventually(() => switches.get('all')?.on === true);
    expect(await consoleBus.entries('switches').list()).toEqual([]);
    await consoleBus.entries('switches').announce('all', { ...on, on: false });
    await eventually(() => switches.get('all')?.on === false);
    await consoleBus.entries('switches').put('all', on);
    await eventually(() => switches.get('all')?.on === true);
  });

  test('counts only with the signature of the console for this key, and never when it is older', async () => {
    const executor = await testBus.busOf('executor');
    const switches = stack.use(await executor.entries('switches').watch());
    const signed = await consoleBus.entries('switches').put('tool.pay', on);
    await consoleBus.entries('switches').put('tool.pay', { ...on, on: false });
    await eventually(() => switches.get('tool.pay')?.on === false);
    const thief = stack.adopt(await join(testBus, 'console'), (one) => one.close());
    for (const key of ['tool.pay', 'all']) thief.publish(`interlock.entry.v1.switches.${key}`, signed);
    thief.publish('interlock.entry.v1.switches.all', '{"on":true}');
    await thief.flush();
    await consoleBus.entries('switches').announce('tool.last', on);
    await eventually(() => switches.get('tool.last')?.on === true);
    expect(switches.get('tool.pay')?.on).toBe(false);
    expect(switches.get('all')).toBeUndefined();
  });
});

describe('[P-clock-agrees] a service whose clock and the server’s differ', () => {
  test.each([
    ['ahead', DAY_MS],
    ['behind', -DAY_MS],
    ['a few seconds ahead', 5_000],
  ])('does nothing while it is %s, says why, and goes on when it agrees again', async (_words, aheadMs) => {
    const clock = new SetClock();
    clock.aheadMs = aheadMs;
    const executor = await executorWith(clock);
    expect(executor.connected).toBe(false);
    expect(executor.ready).toContain('the clock of this service and that of NATS differ by');
    await expect(executor.readCall('acme', 'c_1')).rejects.toMatchObject({ code: 'dependency_unavailable' });
    clock.aheadMs = 0;
    await eventually(() => executor.ready === true);
    expect(await executor.readCall('acme', 'c_1')).toBeUndefined();
  });

  test('publishes, purges, reads, asks and answers nothing, and does it all when it agrees again', async () => {
    const clock = new SetClock();
    const [ingress, auditor, console] = [
      await busWith('ingress', clock),
      await busWith('auditor', clock),
      await busWith('console', clock),
    ];
    const refuse = () =>
      ingress.refuse(
        makeRefused({ tenant: 'acme', agent: 'clerk', call: newId('call'), tool: 'pay' }, testBus.keyring),
      );
    const created = (await auditor.streamState('LEDGER')).created;
    const issuedAt = clock.nowMs();
    const head = { stream: 'LEDGER', created, sequence: 1, hash: 'a'.repeat(64) } as const;
    let served = 0;
    await auditor.serve('auditor.verify', async () => {
      served += 1;
      return { intact: true, checked: { LEDGER: 0, APPROVALS: 0, CONTROL: 0 }, anchors: 0, problems: [] };
    });
    await refuse();
    const attempts = [
      refuse,
      () => auditor.anchor({ type: 'anchor', ...head, issuedAt }),
      () => auditor.purgeBelow('LEDGER', 2),
      () => auditor.streamState('LEDGER'),
      () => auditor.handledUpTo(),
      () => auditor.lastAnchor('LEDGER'),
      () => console.ask('auditor.verify', { waitMs: 0 }, ASK_MS),
      // Whoever asks has the right time: who is asked has not.
      () => consoleBus.ask('auditor.verify', { waitMs: 0 }, ASK_MS),
    ];
    clock.aheadMs = DAY_MS;
    await eventually(() => !ingress.connected && !auditor.connected && !console.connected);
    for (const attempt of attempts)
      await expect(attempt(), String(attempt)).rejects.toMatchObject({ code: 'dependency_unavailable' });
    const { jsm } = await core();
    const messages = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
    expect([await messages('LEDGER'), await messages('ANCHORS'), served]).toEqual([1, 0, 0]);
    clock.aheadMs = 0;
    await eventually(() => ingress.ready === true && auditor.ready === true && console.ready === true);
    for (const attempt of attempts) await attempt();
    expect([await messages('LEDGER'), await messages('ANCHORS'), served]).toEqual([1, 1, 2]);
  });

  test('does nothing from the moment at which its clock jumps, before the server was asked again', async () => {
    const clock = new SetClock();
    const executor = await busWith('executor', clock);
    expect(executor.ready).toBe(true);
    clock.aheadMs = DAY_MS;
    expect(executor.ready).toBe('the clock of this service jumped by 86400 s');
    await expect(executor.readCall('acme', 'c_1')).rejects.toMatchObject({ code: 'dependency_unavailable' });
    clock.aheadMs = 0;
    await eventually(() => executor.ready === true);
  });

  test('is noticed also where the clock jumps while the server is asked', async () => {
    const clock = new SetClock();
    const { nats, jsm } = await core();
    const info = async (name: string) => {
      const answered = await jsm.streams.info(name);
      clock.aheadMs = DAY_MS;
      return answered;
    };
    const reasons: (string | undefined)[] = [];
    const connection = {
      nats,
      reachable: true,
      forbid: (why: () => string | undefined) => void reasons.push(why()),
    };
    const jumping = Object.create(jsm, { streams: { value: { info } } });
    stack.use(await startPulse({ connection, jsm: jumping, clock, log: silent }));
    expect(reasons[0]).toBe('the clock of this service jumped by 86400 s');
  });

  test('is not told apart from a slow answer', () => {
    const span = { earliestMs: 1_000, latestMs: 9_000 };
    expect([999, 1_000, 9_000, 9_001].map((instant) => beyond(instant, span))).toEqual([-1, 0, 0, 1]);
  });
});

describe('[P-ready-writes] a server that answers and cannot write', () => {
  let provisioner: Provisioner;
  beforeEach(async () => {
    const { busSeed: seed } = await testBus.keysOf('provisioner');
    provisioner = stack.use(await connectProvisioner({ nats: testBus.nats, seed, log: silent, replicas: 1 }));
  });

  test('is found by the probe, before any call was lost, and services go on by themselves when there is room', async () => {
    expect(await provisioner.probe()).toEqual({ unwritable: {}, reported: [] });
    expect(consoleBus.ready).toBe(true);
    await limitWrites(testBus.nats.server.pid, 'nothing');
    expect(Object.keys((await provisioner.probe()).unwritable)).toEqual(['KV_probes']);
    await eventually(() => consoleBus.ready === 'NATS cannot write KV_probes');
    await limitWrites(testBus.nats.server.pid, 'everything');
    await eventually(async () => Object.keys((await provisioner.probe()).unwritable).length === 0);
    await eventually(() => consoleBus.ready === true);
    await consoleBus.entries('switches').put('all', on);
  });

  test('keeps the services that need the stream it lost from being ready, and no others, until it is restarted', async () => {
    const decider = await testBus.busOf('decider');
    await limitWrites(testBus.nats.server.pid, 'nothing');
    await expect(consoleBus.entries('switches').put('all', on)).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
    await limitWrites(testBus.nats.server.pid, 'everything');
    await eventually(async () => 'KV_switches' in (await provisioner.probe()).unwritable);
    await eventually(() => consoleBus.ready === 'NATS cannot write KV_switches');
    expect(decider.ready).toBe(true);
    await testBus.nats.server.restart();
    await eventually(async () => Object.keys((await provisioner.probe()).unwritable).length === 0);
    await eventually(() => consoleBus.ready === true);
    await consoleBus.entries('switches').put('all', on);
  });
});
