import { type Call, type EventBody, newId } from '@interlock/contracts';
import { signStatement, verifyStatement } from '@interlock/keys';
import {
  eventually,
  makeCall,
  makeClaim,
  makeDecided,
  makeRefused,
  startTestBus,
  type TestBus,
} from '@interlock/testkit';
import { jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bus, Published } from './index.ts';
import { join } from './inside.fixture.ts';

let testBus: TestBus;
let ingress: Bus;
let decider: Bus;
let executor: Bus;
let consoleBus: Bus;
let approver: Bus;
let twinExecutor: Bus;
/** Of each kind. */
const RACES = 200;

beforeAll(async () => {
  testBus = await startTestBus();
  [ingress, decider, executor, consoleBus, approver, twinExecutor] = await Promise.all([
    testBus.busOf('ingress'),
    testBus.busOf('decider'),
    testBus.busOf('executor'),
    testBus.busOf('console'),
    testBus.busOf('approver'),
    testBus.busOf('executor'),
  ]);
});
afterAll(() => testBus[Symbol.asyncDispose]());

describe('the line', () => {
  test('[P-line-one-successor] takes one successor of an event and rejects the second', async () => {
    const call = makeCall();
    const first = await ingress.publish('requested', call, { call }, 0);
    if (!first.stored) throw new Error('the first event of a call was not stored');
    const { sequence: requested } = first;
    expect(await ingress.publish('requested', call, { call }, 0)).toEqual({ stored: false });
    const { sign } = await testBus.keysOf('decider');
    const [decided, held] = [makeDecided(call, sign), makeDecided(call, sign, { verdict: 'ask' })];
    expect(await decider.publish('decided', call, decided, requested)).toMatchObject({ stored: true });
    for (const again of [decided, makeDecided(call, sign)])
      expect(await decider.publish('decided', call, again, requested)).toEqual({ stored: false });
    expect(await decider.publish('held', call, held, requested)).toEqual({ stored: false });
  });

  test('[P-line-refusal-is-an-event] delivers an event to the owner of the next step, and its refusal to ingress once it is stored', async () => {
    const call = makeCall();
    const received = Promise.withResolvers<EventBody<'refused'>>();
    await ingress.onStored('refused', (refused) => refused.call === call.call && received.resolve(refused));
    await using _step = await decider.step('decider', {
      verb: ({ event }) => ({ step: 'refused', body: makeRefused(event.call, testBus.keyring) }),
      poison: ({ event }) => makeRefused(event.call, testBus.keyring),
      concurrency: 4,
    });
    await ingress.publish('requested', call, { call }, 0);
    expect((await received.promise).code).toBe('policy_denied');
    expect(await ingress.readCall('acme', call.call)).toMatchObject({
      step: 'refused',
      body: { code: 'policy_denied' },
    });
  });

  test('[P-ledger-read-back] recognises its own claim after a lost acknowledgement by the nonce, and another claim by another nonce', async () => {
    const call = makeCall();
    const claim = makeClaim(call, testBus.keyring, { claimMs: 5_000 });
    expect(await executor.claim('started', claim, 0)).toMatchObject({ stored: true });
    expect(await executor.claim('started', claim, 0)).toMatchObject({ stored: true });
    expect(await executor.claim('started', { ...claim, nonce: newId('n') }, 0)).toEqual({ stored: false });
    expect(await decider.refuse(makeRefused(call, testBus.keyring))).toEqual({ stored: false });
  });

  const claims = (call: Call) => executor.claim('started', makeClaim(call, testBus.keyring), 0);
  const twinClaims = (call: Call) => twinExecutor.claim('started', makeClaim(call, testBus.keyring), 0);
  const deciderRefuses = (call: Call) => decider.refuse(makeRefused(call, testBus.keyring));
  const ingressRefuses = (call: Call) => ingress.refuse(makeRefused(call, testBus.keyring));
  test.each<[string, ((call: Call) => Promise<Published>)[]]>([
    ['claims', [claims, twinClaims, claims, twinClaims]],
    ['a claim and a refusal', [claims, deciderRefuses]],
    ['a refusal and a claim', [ingressRefuses, twinClaims]],
    ['claims and refusals', [claims, ingressRefuses, twinClaims, deciderRefuses]],
    ['refusals', [deciderRefuses, ingressRefuses, deciderRefuses]],
  ])('[P-ledger-claim-once] gives one winner to each of two hundred races of %s', async (_, racers) => {
    for (let race = 0; race < RACES; race += 1) {
      const call = makeCall();
      const outcomes = await Promise.all(racers.map((racer) => racer(call)));
      expect(outcomes.filter(({ stored }) => stored)).toHaveLength(1);
      const claimed = await ingress.readStep('started', 'acme', call.call);
      const refused = await ingress.readStep('refused', 'acme', call.call);
      expect([claimed, refused].filter((step) => step !== undefined)).toHaveLength(1);
    }
  });
});

test('[P-answer-from-the-ledger] a message that was never stored as an outcome is not received as one, whichever service has it delivered', async () => {
  const [forged, real] = [makeCall(), makeCall()];
  const received: string[] = [];
  await ingress.onStored('refused', ({ call }) => received.push(call));
  const limiter = await join(testBus, 'limiter');
  const target = `interlock.done.v1.refused.acme.${forged.call}`;
  const delivered = Promise.withResolvers<void>();
  limiter.subscribe(target, { callback: () => delivered.resolve() });
  await limiter.request('$KV.epochs.forged', JSON.stringify(makeRefused(forged, testBus.keyring)));
  const config = { name: 'forger', deliver_subject: target, deliver_policy: 'all', ack_policy: 'none' };
  await limiter.request(
    'CORE.API.CONSUMER.CREATE.KV_epochs.forger',
    JSON.stringify({ stream_name: 'KV_epochs', action: 'create', config }),
  );
  await delivered.promise;
  await decider.refuse(makeRefused(real, testBus.keyring));
  await eventually(() => received.includes(real.call));
  expect(received).not.toContain(forged.call);
  await limiter.close();
});

describe('buckets', () => {
  test('[P-entries-signed] refuse an entry that the console did not sign', async () => {
    const watch = await decider.entries('agents').watch();
    await eventually(() => watch.current);
    expect(watch.all()).toEqual([]);
    await expect(
      decider.entries('agents').put('acme.x', {
        tenant: 'acme',
        agent: 'x',
        user: 'u',
        roles: [],
        session: 's',
        keys: [],
        caps: { ratePerSecond: 1, burst: 1, inFlight: 1 },
      }),
    ).rejects.toMatchObject({ code: 'dependency_unavailable' });
    await consoleBus.entries('agents').put('acme.x', {
      tenant: 'acme',
      agent: 'x',
      user: 'u',
      roles: [],
      session: 's',
      keys: [],
      caps: { ratePerSecond: 1, burst: 1, inFlight: 1 },
    });
    await eventually(() => watch.get('acme.x')?.user === 'u');
    await consoleBus.entries('agents').remove('acme.x');
    await eventually(() => watch.get('acme.x') === undefined);
    expect(await decider.entries('agents').get('acme.x')).toBeUndefined();
    await watch[Symbol.asyncDispose]();
  });

  test('[P-entries-signed] report a text that does not verify, keep the entry they held, and recover when the entry is signed again', async () => {
    const raw = await join(testBus, 'console');
    const subject = '$KV.switches.all';
    const put = (body: string) => raw.request(subject, body);
    const entry = (by: string) => ({ on: true, by, at: 1 });
    await consoleBus.entries('switches').put('all', entry('first'));
    const core = await join(testBus, 'provisioner');
    const jsm = await jetstreamManager(core, { checkAPI: false });
    const first = await jsm.streams.getMessage('KV_switches', { last_by_subj: subject });
    await consoleBus.entries('switches').put('all', entry('second'));
    const limiter = await testBus.busOf('limiter');
    const watch = await limiter.entries('switches').watch();
    await eventually(() => watch.current && watch.get('all')?.by === 'second');
    expect(watch.refused.size).toBe(0);

    await put(first?.string() ?? '');
    await eventually(() => watch.refused.get('all') === 'older');
    await put('not signed by anybody');
    await eventually(() => watch.refused.get('all') === 'forged');
    expect(watch.get('all')?.by).toBe('second');
    const [own, other] = [await testBus.keysOf('console'), await testBus.keysOf('decider')];
    const newer = { type: 'entry', bucket: 'switches', key: 'all', version: Date.now() * 2 } as const;
    const text = { ...newer, issuedAt: Date.now(), value: entry('third') };
    for (const foreign of [
      signStatement({ ...text, key: 'tool.other' }, own.sign),
      signStatement({ ...text, bucket: 'agents' }, own.sign),
      signStatement(text, other.sign),
    ]) {
      await put(first?.string() ?? '');
      await eventually(() => watch.refused.get('all') === 'older');
      await put(foreign);
      await eventually(() => watch.refused.get('all') === 'forged');
      expect(watch.get('all')?.by).toBe('second');
    }
    expect(await limiter.entries('switches').survey()).toEqual({ entries: [], refused: ['all'] });
    const marker = headers();
    marker.set('KV-Operation', 'DEL');
    await raw.request(subject, '', { timeout: 2_000, headers: marker });
    await eventually(() => watch.refused.get('all') === 'deleted');
    expect(watch.get('all')?.by).toBe('second');

    await put(first?.string() ?? '');
    await consoleBus.entries('switches').put('all', entry('third'));
    await eventually(() => watch.get('all')?.by === 'third');
    expect(watch.refused.size).toBe(0);
    await watch[Symbol.asyncDispose]();
    await Promise.all([raw.close(), core.close()]);
  });

  test('free the space of a blob that was removed', async () => {
    const blobs = consoleBus.blobs('bundles');
    await blobs.put('bundle-x', Buffer.alloc(1_300_000, 5));
    expect((await decider.blobs('bundles').get('bundle-x'))?.length).toBe(1_300_000);
    await blobs.remove('bundle-x');
    await blobs.remove('bundle-x');
    expect(await decider.blobs('bundles').get('bundle-x')).toBeUndefined();
    await blobs.put('bundle-x', Buffer.alloc(10, 6));
    expect((await decider.blobs('bundles').get('bundle-x'))?.length).toBe(10);
  });

  test('return a blob whole, and nothing of a blob that is incomplete', async () => {
    const bytes = Buffer.alloc(1_300_000, 5);
    await executor.blobs('results').put('acme.c1', bytes);
    const read = await ingress.blobs('results').get('acme.c1');
    expect(read?.length).toBe(bytes.length);
    expect(await ingress.blobs('results').get('acme.c2')).toBeUndefined();
  });
});

describe('the channel', () => {
  test('carries a body of several frames whole', async () => {
    const received = Promise.withResolvers<{ call: string; body: Uint8Array }>();
    await ingress.onResult('replica1', (call, body) => received.resolve({ call, body }));
    executor.sendResult('replica1', 'c_9', Buffer.alloc(700_000, 3));
    const { call, body } = await received.promise;
    expect(call).toBe('c_9');
    expect(Buffer.from(body).equals(Buffer.alloc(700_000, 3))).toBe(true);
  });
});

test('[P-statements-role-bound] a statement signed by one role does not verify as another’s', async () => {
  const keys = await testBus.keysOf('executor');
  const forged = signStatement(
    { type: 'entry', bucket: 'tools', key: 'x', version: 1, issuedAt: 1, value: null },
    keys.sign,
  );
  expect(forged).toContain('.');
  expect(() => verifyStatement(forged, 'entry', testBus.keyring, Date.now())).toThrow('may not sign');
  expect(approver.connected).toBe(true);
});
