import { type Call, eventSchemas, Fault, faults } from '@interlock/contracts';
import {
  eventually,
  makeCall,
  makeDecided,
  makeRefused,
  startTestBus,
  type TestBus,
} from '@interlock/testkit';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bus, Delivery, Next } from './index.ts';
import { join } from './inside.fixture.ts';
import { installTracing, underTrace } from './tracing.fixture.ts';

/** Less than the server waits before it delivers again a message that was not given back. */
const GIVEN_BACK_MS = 4_000;
/** Answers of the server, one after the other, that a verb waits for: more than stopping itself takes. */
const READS = 40;

let testBus: TestBus;
let ingress: Bus;
let decider: Bus;
let core: NatsConnection;
let jsm: JetStreamManager;

beforeAll(async () => {
  testBus = await startTestBus();
  [ingress, decider, core] = await Promise.all([
    testBus.busOf('ingress'),
    testBus.busOf('decider'),
    join(testBus, 'provisioner'),
  ]);
  jsm = await jetstreamManager(core, { checkAPI: false });
});
afterAll(async () => {
  await core?.close();
  await testBus?.[Symbol.asyncDispose]();
});

type Verb = (
  delivery: Delivery<'requested'>,
) => Promise<Next<'requested'> | undefined> | Next<'requested'> | undefined;

function decide(verb: Verb, concurrency = 16) {
  return decider.step('decider', {
    verb,
    concurrency,
    poison: ({ event }, fault) => makeRefused(event.call, testBus.keyring, { code: fault.code }),
  });
}

async function request(call: Call): Promise<void> {
  expect(await ingress.publish('requested', call, { call }, 0)).toMatchObject({ stored: true });
}

async function codeOf({ tenant, call }: Call) {
  const entry = await ingress.readCall(tenant, call);
  return entry?.step === 'refused' ? entry.body.code : undefined;
}

describe('an event whose owner fails', () => {
  test('[P-line-poison] is refused at the fifth delivery as poison, or with the last fault, and delays no other call', async () => {
    const [broken, unlucky, fine] = [makeCall(), makeCall(), makeCall()];
    const deliveries = new Map<string, number[]>();
    const order: string[] = [];
    await using _ = await decide(({ event, deliveries: count }) => {
      const { call } = event.call;
      deliveries.set(call, [...(deliveries.get(call) ?? []), count]);
      order.push(call);
      if (call === broken.call) throw new Error('a bug');
      if (call === unlucky.call) throw new Fault('dependency_unavailable');
      return { step: 'refused', body: makeRefused(event.call, testBus.keyring) };
    });
    for (const call of [broken, unlucky, fine]) await request(call);
    expect(await eventually(() => codeOf(fine))).toBe('policy_denied');
    expect(await eventually(() => codeOf(broken), 20_000)).toBe('poison');
    expect(await eventually(() => codeOf(unlucky), 20_000)).toBe('dependency_unavailable');
    expect(deliveries.get(broken.call)).toEqual([1, 2, 3, 4, 5]);
    expect(deliveries.get(unlucky.call)).toEqual([1, 2, 3, 4, 5]);
    expect(deliveries.get(fine.call)).toEqual([1]);
    expect(order.indexOf(fine.call)).toBeLessThan(order.lastIndexOf(broken.call));
  });

  test('[P-line-poison] and that does not parse is dropped after five deliveries, and delays no other call', async () => {
    const nats = await join(testBus, 'ingress');
    await using _ = await decide(({ event }) => ({
      step: 'refused',
      body: makeRefused(event.call, testBus.keyring),
    }));
    await nats.request('interlock.line.v1.requested.acme.unreadable', '{"call":"no"}');
    await nats.close();
    const fine = makeCall();
    await request(fine);
    expect(await eventually(() => codeOf(fine))).toBe('policy_denied');
    const deliveries = () => jsm.consumers.info('LINE', 'decider');
    await eventually(async () => (await deliveries()).num_ack_pending === 1);
    await eventually(async () => (await deliveries()).num_ack_pending === 0, 20_000);
  });

  test('[P-line-poison] because its process died each time is refused as an outage, which may be asked for again', async () => {
    const call = makeCall();
    await request(call);
    const dying = await jetstream(core, { checkAPI: false }).consumers.get('LINE', 'decider');
    for (let delivery = 1; delivery <= 5; delivery += 1) {
      const message = await dying.next({ expires: 5_000 });
      expect(message?.subject).toContain(call.call);
      message?.nak();
    }
    await using _ = await decide(() => {
      throw new Error('a sixth delivery is not handled');
    });
    const code = await eventually(() => codeOf(call));
    expect(code).toBe('dependency_unavailable');
    expect(faults[code].retryable).toBe(true);
  });

  test('once and then succeeds has one successor', async () => {
    const call = makeCall();
    const { sign } = await testBus.keysOf('decider');
    await using _ = await decide(({ event, deliveries }) => {
      if (deliveries === 1) throw new Fault('dependency_unavailable');
      return { step: 'decided', body: makeDecided(event.call, sign) };
    });
    await request(call);
    const stored = await eventually(async () => await lineOf(call, 'decided'));
    expect(eventSchemas.decided.parse(stored.body).call.call).toBe(call.call);
    expect(await lineOf(call, 'requested')).toBeDefined();
  });
});

test('[P-step-drain] a process that stops finishes the calls it began, and another process gets the rest at once', async () => {
  const calls = [makeCall(), makeCall(), makeCall()];
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const taken: string[] = [];
  const first = await decide(async ({ event }) => {
    taken.push(event.call.call);
    begun.resolve();
    await released.promise;
    return { step: 'refused', body: makeRefused(event.call, testBus.keyring) };
  }, 1);
  for (const call of calls) await request(call);
  await begun.promise;
  const stopping = first[Symbol.asyncDispose]();
  released.resolve();
  await stopping;
  expect(taken).toHaveLength(1);
  const [done] = calls.filter(({ call }) => taken.includes(call));
  expect(done && (await codeOf(done))).toBe('policy_denied');

  const rest: string[] = [];
  await using _ = await decide(({ event }) => {
    rest.push(event.call.call);
    return { step: 'refused', body: makeRefused(event.call, testBus.keyring) };
  });
  const expected = calls.map(({ call }) => call).filter((call) => !taken.includes(call));
  await eventually(() => rest.length === 2, GIVEN_BACK_MS);
  expect(rest.sort()).toEqual(expected.sort());
});

test('[P-step-drain] stopping waits for what was begun, also where more could have begun', async () => {
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let finished = false;
  const step = await decide(async ({ event }) => {
    begun.resolve();
    await released.promise;
    for (let read = 0; read < READS; read += 1) await codeOf(event.call);
    finished = true;
    return { step: 'refused', body: makeRefused(event.call, testBus.keyring) };
  });
  await request(makeCall());
  await begun.promise;
  const stopping = step[Symbol.asyncDispose]();
  released.resolve();
  await stopping;
  expect(finished).toBe(true);
});

test('[P-step-drain] no call is delivered to a process that stopped: each of sixty successive processes gets its call', async () => {
  for (let turn = 0; turn < 60; turn += 1) {
    const call = makeCall();
    await using _ = await decide(({ event }) => ({
      step: 'refused',
      body: makeRefused(event.call, testBus.keyring),
    }));
    await request(call);
    await eventually(async () => (await codeOf(call)) !== undefined, GIVEN_BACK_MS);
  }
});

describe('a stored event', () => {
  test('[P-events-cloudevents] is a CloudEvent with a traceparent, and what follows carries the same trace', async () => {
    using _tracing = installTracing();
    const { sign } = await testBus.keysOf('decider');
    await using _step = await decide(({ event }) => ({
      step: 'decided',
      body: makeDecided(event.call, sign),
    }));
    const call = makeCall();
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await underTrace(traceId, () => request(call));
    for (const step of ['requested', 'decided'] as const) {
      const { headers, body } = await eventually(async () => await lineOf(call, step));
      expect(headers).toMatchObject({
        'ce-specversion': '1.0',
        'ce-type': `io.interlock.line.${step}.v1`,
        'ce-id': `${call.call}-${step}`,
        'ce-source': step === 'requested' ? 'interlock/ingress' : 'interlock/decider',
        'ce-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        'content-type': 'application/json',
        traceparent: expect.stringMatching(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`)),
      });
      expect(eventSchemas[step].safeParse(body).success).toBe(true);
    }
  });
});

/** The event of a step on the line, as the server keeps it. */
async function lineOf({ tenant, call }: Call, step: 'requested' | 'decided') {
  const filter = `interlock.line.v1.${step}.${tenant}.${call}`;
  const message = await jsm.streams.getMessage('LINE', { last_by_subj: filter }).catch(() => null);
  if (message === null) return undefined;
  const names = message.header.keys();
  const headers = Object.fromEntries(names.map((name) => [name, message.header.get(name)]));
  const body: unknown = JSON.parse(new TextDecoder().decode(message.data));
  return { headers, body };
}
