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

let house: TestBus;
let ingress: Bus;
let decider: Bus;
let executor: Bus;
let consoleBus: Bus;
let approver: Bus;
let twinExecutor: Bus;
/** Of each kind. */
const RACES = 200;

beforeAll(async () => {
  house = await startTestBus();
  [ingress, decider, executor, consoleBus, approver, twinExecutor] = await Promise.all([
    house.busOf('ingress'),
    house.busOf('decider'),
    house.busOf('executor'),
    house.busOf('console'),
    house.busOf('approver'),
    house.busOf('executor'),
  ]);
});
afterAll(() => house[Symbol.asyncDispose]());

describe('the line', () => {
  test('[P-line-one-successor] takes one successor of an event and rejects the second', async () => {
    const call = makeCall();
    const first = await ingress.publish('requested', call, { call }, 0);
    if (!first.stored) throw new Error('the first event of a call was not stored');
    const { sequence: requested } = first;
    expect(await ingress.publish('requested', call, { call }, 0)).toEqual({ stored: false });
    const { sign } = await house.keysOf('decider');
    const [decided, held] = [makeDecided(call, sign), makeDecided(call, sign, { verdict: 'ask' })];
    expect(await decider.publish('decided', call, decided, requested)).toMatchObject({ stored: true });
    for (const again of [decided, makeDecided(call, sign)])
      expect(await decider.publish('decided', call, again, requested)).toEqual({ stored: false });
    expect(await decider.publish('held', call, held, requested)).toEqual({ stored: false });
  });

  test('[P-line-refusal-is-an-event] delivers an event to the owner of the next step and stores its refusal where ingress hears of it', async () => {
    const call = makeCall();
    const heard = Promise.withResolvers<EventBody<'refused'>>();
    await ingress.onStored('refused', (refused) => refused.call === call.call && heard.resolve(refused));
    await using _step = await decider.step('decider', {
      verb: ({ event }) => ({ step: 'refused', body: makeRefused(event.call, house.keyring) }),
      poison: ({ event }) => makeRefused(event.call, house.keyring),
      concurrency: 4,
    });
    await ingress.publish('requested', call, { call }, 0);
    expect((await heard.promise).code).toBe('policy_denied');
    expect(await ingress.readCall('acme', call.call)).toMatchObject({
      step: 'refused',
      body: { code: 'policy_denied' },
    });
  });

  test('[P-ledger-read-back] knows its own claim after a lost acknowledgement by its nonce, and another’s by another nonce', async () => {
    const call = makeCall();
    const claim = makeClaim(call, house.keyring, { claimMs: 5_000 });
    expect(await executor.claim('started', claim, 0)).toMatchObject({ stored: true });
    expect(await executor.claim('started', claim, 0)).toMatchObject({ stored: true });
    expect(await executor.claim('started', { ...claim, nonce: newId('n') }, 0)).toEqual({ stored: false });
    expect(await decider.refuse(makeRefused(call, house.keyring))).toEqual({ stored: false });
  });

  const claims = (call: Call) => executor.claim('started', makeClaim(call, house.keyring), 0);
  const twinClaims = (call: Call) => twinExecutor.claim('started', makeClaim(call, house.keyring), 0);
  const deciderRefuses = (call: Call) => decider.refuse(makeRefused(call, house.keyring));
  const ingressRefuses = (call: Call) => ingress.refuse(makeRefused(call, house.keyring));
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

test('[P-answer-from-the-ledger] what was never stored is not heard as an outcome, whoever has it delivered', async () => {
  const [forged, real] = [makeCall(), makeCall()];
  const heard: string[] = [];
  await ingress.onStored('refused', ({ call }) => heard.push(call));
  const limiter = await join(house, 'limiter');
  const target = `interlock.done.v1.refused.acme.${forged.call}`;
  const delivered = Promise.withResolvers<void>();
  limiter.subscribe(target, { callback: () => delivered.resolve() });
  await limiter.request('$KV.epochs.forged', JSON.stringify(makeRefused(forged, house.keyring)));
  const config = { name: 'forger', deliver_subject: target, deliver_policy: 'all', ack_policy: 'none' };
  await limiter.request(
    'CORE.API.CONSUMER.CREATE.KV_epochs.forger',
    JSON.stringify({ stream_name: 'KV_epochs', action: 'create', config }),
  );
  await delivered.promise;
  await decider.refuse(makeRefused(real, house.keyring));
  await eventually(() => heard.includes(real.call));
  expect(heard).not.toContain(forged.call);
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

  test('[P-entries-signed] tell of a text that counts for nothing, keep what was held, and heal when signed again', async () => {
    const raw = await join(house, 'console');
    const subject = '$KV.switches.all';
    const put = (body: string) => raw.request(subject, body);
    const entry = (by: string) => ({ on: true, by, at: 1 });
    await consoleBus.entries('switches').put('all', entry('first'));
    const core = await join(house, 'provisioner');
    const jsm = await jetstreamManager(core, { checkAPI: false });
    const first = await jsm.streams.getMessage('KV_switches', { last_by_subj: subject });
    await consoleBus.entries('switches').put('all', entry('second'));
    const limiter = await house.busOf('limiter');
    const watch = await limiter.entries('switches').watch();
    await eventually(() => watch.current && watch.get('all')?.by === 'second');
    expect(watch.refused.size).toBe(0);

    await put(first?.string() ?? '');
    await eventually(() => watch.refused.get('all') === 'older');
    await put('not signed by anybody');
    await eventually(() => watch.refused.get('all') === 'forged');
    expect(watch.get('all')?.by).toBe('second');
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

  test('give back the room of a blob that was removed', async () => {
    const blobs = consoleBus.blobs('bundles');
    await blobs.put('bundle-x', Buffer.alloc(1_300_000, 5));
    expect((await decider.blobs('bundles').get('bundle-x'))?.length).toBe(1_300_000);
    await blobs.remove('bundle-x');
    await blobs.remove('bundle-x');
    expect(await decider.blobs('bundles').get('bundle-x')).toBeUndefined();
    await blobs.put('bundle-x', Buffer.alloc(10, 6));
    expect((await decider.blobs('bundles').get('bundle-x'))?.length).toBe(10);
  });

  test('keep blobs whole and hand out nothing of half a blob', async () => {
    const bytes = Buffer.alloc(1_300_000, 5);
    await executor.blobs('results').put('acme.c1', bytes);
    const read = await ingress.blobs('results').get('acme.c1');
    expect(read?.length).toBe(bytes.length);
    expect(await ingress.blobs('results').get('acme.c2')).toBeUndefined();
  });
});

describe('the channel', () => {
  test('carries a body of several frames whole', async () => {
    const heard = Promise.withResolvers<{ call: string; body: Uint8Array }>();
    await ingress.onResult('replica1', (call, body) => heard.resolve({ call, body }));
    executor.sendResult('replica1', 'c_9', Buffer.alloc(700_000, 3));
    const { call, body } = await heard.promise;
    expect(call).toBe('c_9');
    expect(Buffer.from(body).equals(Buffer.alloc(700_000, 3))).toBe(true);
  });
});

test('[P-statements-role-bound] a statement signed by one role does not pass for another’s', async () => {
  const keys = await house.keysOf('executor');
  const forged = signStatement(
    { type: 'entry', bucket: 'tools', key: 'x', version: 1, issuedAt: 1, value: null },
    keys.sign,
  );
  expect(forged).toContain('.');
  expect(() => verifyStatement(forged, 'entry', house.keyring, Date.now())).toThrow('may not sign');
  expect(approver.connected).toBe(true);
});
