/**
 * Attacks on the accounts, from inside each of them with a bare client: publishing, replies, requests, consumers that
 * deliver elsewhere, message traces, acknowledgements, and subscriptions.
 */
import { type ServiceName, services } from '@interlock/contracts';
import { eventually, startTestBus, type TestBus } from '@interlock/testkit';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { join } from '../inside.fixture.ts';
import { API_PREFIX, grantsOf, inboxPrefix } from './accounts.ts';
import {
  allStreams,
  bucketNames,
  consumerNames,
  foreignAcks,
  foreignApiCalls,
  foreignPeerSubjects,
  mayReceive,
  owns,
  storingSubjects,
  streamNames,
} from './foreign.fixture.ts';

/** Every service but the provisioner, which owns the account of the streams. */
const members = services.filter((service) => service !== 'provisioner');
/** Nothing here waits for it; a busy machine may need seconds for an answer. */
const REQUEST_TIMEOUT_MS = 20_000;
/** How long an unanswered request waits; most are told at once that there is no responder. */
const UNANSWERED_MS = 500;

interface Received {
  to: ServiceName;
  subject: string;
  from: string;
}

let testBus: TestBus;
let core: NatsConnection;
let jsm: JetStreamManager;
const connections = new Map<ServiceName, NatsConnection>();
const received: Received[] = [];

beforeAll(async () => {
  testBus = await startTestBus();
  core = await join(testBus, 'provisioner');
  jsm = await jetstreamManager(core, { checkAPI: false });
  for (const subject of storingSubjects('seed')) await core.request(subject, '{"from":"seed"}');
  for (const service of members) {
    const nats = await join(testBus, service);
    connections.set(service, nats);
    nats.subscribe('>', {
      callback: (_error, message) => {
        const from = message.headers?.get('From') ?? '';
        if (from !== '' && from !== service) received.push({ to: service, subject: message.subject, from });
      },
    });
    await nats.flush();
  }
});
afterAll(async () => {
  for (const nats of [...connections.values(), core]) await nats?.close();
  await testBus[Symbol.asyncDispose]();
});

function connectionOf(service: ServiceName): NatsConnection {
  const nats = connections.get(service);
  if (nats === undefined) throw new Error(`${service} is not connected`);
  return nats;
}

/** Everything that is stored, by stream and subject, with the configuration of each stream. */
async function standing(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const stream of allStreams) {
    const { created, config, state } = await jsm.streams.info(stream, { subjects_filter: '>' });
    found.set(stream, JSON.stringify({ created, config, first: state.first_seq }));
    for (const [subject, count] of Object.entries(state.subjects ?? {})) found.set(subject, String(count));
  }
  return found;
}

/** The progress of each durable consumer, except those of the service that attacks. */
async function consumed(except: ServiceName): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const stream of streamNames) {
    for await (const info of jsm.consumers.list(stream)) {
      const { name, config, ack_floor, delivered, num_ack_pending } = info;
      const own = grantsOf(except).some(({ subject }) => subject.endsWith(`MSG.NEXT.${stream}.${name}`));
      if (own) continue;
      const progress = { config, ack_floor, delivered: delivered.consumer_seq, num_ack_pending };
      found.set(name, JSON.stringify(progress));
    }
  }
  return found;
}

/** What changed, except on subjects that the service owns. */
function foreignChanges(
  service: ServiceName,
  before: Map<string, string>,
  after: Map<string, string>,
): string[] {
  const changed = [...after].filter(([key, value]) => before.get(key) !== value).map(([key]) => key);
  const removed = [...before.keys()].filter((key) => !after.has(key)).map((key) => `removed: ${key}`);
  return [...changed.filter((key) => !owns(service, key)), ...removed];
}

/** Waits until the server has handled all that a service sent: a consumer that is made last has delivered. */
async function settled(service: ServiceName): Promise<void> {
  const nats = connectionOf(service);
  await nats.flush();
  const bucket = readableBuckets(service)[0];
  if (bucket === undefined) return;
  const inbox = `${inboxPrefix(service)}.barrier`;
  const delivered = Promise.withResolvers<void>();
  const subscription = nats.subscribe(inbox, { callback: () => delivered.resolve() });
  await createConsumer(nats, `KV_${bucket}`, 'barrier', inbox);
  await delivered.promise;
  subscription.unsubscribe();
  await jsm.consumers.delete(`KV_${bucket}`, 'barrier');
  await core.flush();
}

function readableBuckets(service: ServiceName) {
  return bucketNames.filter((name) =>
    grantsOf(service).some(({ subject }) => subject === `$JS.API.CONSUMER.CREATE.KV_${name}.>`),
  );
}

async function createConsumer(
  nats: NatsConnection,
  stream: string,
  name: string,
  deliverSubject: string,
): Promise<string> {
  const config = {
    name,
    deliver_subject: deliverSubject,
    deliver_policy: 'all',
    ack_policy: 'none',
    mem_storage: true,
    inactive_threshold: 5e9,
  };
  const reply = await nats.request(
    `${API_PREFIX}.CONSUMER.CREATE.${stream}.${name}`,
    JSON.stringify({ stream_name: stream, config, action: 'create' }),
    { timeout: REQUEST_TIMEOUT_MS },
  );
  return reply.string();
}

/** Headers that name the sender. */
function from(service: ServiceName) {
  const fields = headers();
  fields.set('From', service);
  return fields;
}

/** Every request a service may make, at a subject of its own account, with a body that the server answers. */
function allowedRequests(service: ServiceName, call: string): { subject: string; body: string }[] {
  return grantsOf(service)
    .filter(({ kind, subject }) => kind === 'service' && !subject.includes('CONSUMER.DELETE'))
    .map(({ subject, to }) => {
      const at = (to ?? subject).replace('.>', `.${call}`).replaceAll('*', call);
      if (at.includes('.MSG.GET.')) return { subject: at, body: '{"seq":1}' };
      if (at.includes('.MSG.NEXT.')) return { subject: at, body: '{"batch":1,"no_wait":true}' };
      if (at.includes('.PURGE.')) return { subject: at, body: '{"seq":1}' };
      return { subject: at, body: '{}' };
    });
}

describe.each(members)('a subject that is not %s’s', (service) => {
  test(`cannot be published by it [P-bus-foreign-subjects]`, async () => {
    const nats = connectionOf(service);
    const [before, consumersBefore] = [await standing(), await consumed(service)];
    const api = foreignApiCalls(service).flatMap((call) => [`$JS.API.${call}`, `${API_PREFIX}.${call}`]);
    const subjects = [
      ...storingSubjects('forged').filter((subject) => !owns(service, subject)),
      ...foreignPeerSubjects(service, 'forged'),
      ...foreignAcks(service),
      ...api,
      'CORE.interlock.ledger.v1.started.acme.forged',
    ];
    for (const subject of subjects) {
      nats.publish(subject, '{}', { headers: from(service) });
      nats.publish(subject, '{}', { headers: from(service), reply: `${inboxPrefix(service)}.r` });
    }
    await settled(service);
    expect(foreignChanges(service, before, await standing())).toEqual([]);
    expect(await consumed(service)).toEqual(consumersBefore);
  });

  test(`cannot be the reply subject of any request it may send [P-bus-foreign-subjects]`, async () => {
    const nats = connectionOf(service);
    const [before, consumersBefore] = [await standing(), await consumed(service)];
    const replies = [
      ...storingSubjects('replied').filter((subject) => !owns(service, subject)),
      ...foreignPeerSubjects(service, 'replied'),
      ...foreignAcks(service),
      ...streamNames.flatMap((stream) => [
        `$JS.API.STREAM.DELETE.${stream}`,
        `$JS.API.STREAM.PURGE.${stream}`,
      ]),
      ...consumerNames.map((name) => `$JS.API.CONSUMER.DELETE.LINE.${name}`),
    ];
    const requests = allowedRequests(service, 'asked');
    expect(requests.length).toBeGreaterThan(0);
    for (const reply of replies)
      for (const { subject, body } of requests)
        nats.publish(subject, body, { reply, headers: from(service) });
    await settled(service);
    expect(foreignChanges(service, before, await standing())).toEqual([]);
    expect(await consumed(service)).toEqual(consumersBefore);
  });

  test(`cannot be the delivery subject of a consumer it makes [P-bus-foreign-subjects]`, async () => {
    const nats = connectionOf(service);
    const [before, consumersBefore] = [await standing(), await consumed(service)];
    const targets = [
      ...storingSubjects('delivered'),
      ...foreignAcks(service),
      ...streamNames.flatMap((stream) => [
        `$JS.API.STREAM.DELETE.${stream}`,
        `$JS.API.STREAM.PURGE.${stream}`,
      ]),
    ].filter((subject) => !owns(service, subject));
    for (const bucket of readableBuckets(service)) {
      for (const [index, target] of targets.entries())
        await createConsumer(nats, `KV_${bucket}`, `to${index}`, target);
      await settled(service);
      for (const [index] of targets.entries())
        await jsm.consumers.delete(`KV_${bucket}`, `to${index}`).catch(() => false);
    }
    expect(foreignChanges(service, before, await standing())).toEqual([]);
    expect(await consumed(service)).toEqual(consumersBefore);
  });

  test(`cannot be the subject to which the server traces its messages [P-bus-foreign-subjects]`, async () => {
    const nats = connectionOf(service);
    const before = await standing();
    const requests = allowedRequests(service, 'traced');
    for (const target of storingSubjects('traced').filter((subject) => !owns(service, subject))) {
      for (const { subject, body } of requests) {
        const fields = from(service);
        fields.set('Nats-Trace-Dest', target);
        nats.publish(subject, body, { headers: fields });
      }
    }
    await settled(service);
    expect(foreignChanges(service, before, await standing())).toEqual([]);
  });

  test(`cannot be read by it: no stream, bucket or consumer answers [P-bus-foreign-reads]`, async () => {
    const nats = connectionOf(service);
    const calls = foreignApiCalls(service).flatMap((call) => [`$JS.API.${call}`, `${API_PREFIX}.${call}`]);
    const answered = await Promise.all(
      calls.map(async (call) => {
        const reply = await nats.request(call, '{}', { timeout: UNANSWERED_MS }).catch(() => undefined);
        return reply === undefined || reply.string().includes('"error":')
          ? []
          : [`${call}: ${reply.string()}`];
      }),
    );
    expect(answered.flat()).toEqual([]);
  });
});

test('no service receives what another sent, except requests that it serves and events that the table gives it [P-bus-foreign-reads]', async () => {
  for (const service of members) await settled(service);
  const unexpected = received.filter(({ to, from: sender, subject }) => {
    const known = members.find((member) => member === sender);
    return known === undefined || !mayReceive(to, known, subject);
  });
  expect(unexpected).toEqual([]);
  expect(received.some(({ to, from: sender }) => to === 'broker' && sender === 'executor')).toBe(true);
});

test('ingress reads no credential, and the console reads no ledger [P-bus-foreign-reads]', async () => {
  const asked = (service: ServiceName, stream: string, timeout = REQUEST_TIMEOUT_MS) =>
    connectionOf(service).request(`${API_PREFIX}.STREAM.MSG.GET.${stream}`, '{"seq":1}', { timeout });
  await expect(asked('ingress', 'KV_credentials', UNANSWERED_MS)).rejects.toThrow();
  await expect(asked('ingress', 'KV_people', UNANSWERED_MS)).rejects.toThrow();
  await expect(asked('console', 'LEDGER', UNANSWERED_MS)).rejects.toThrow();
  expect((await asked('broker', 'KV_credentials')).string()).toContain('message');
  expect((await asked('broker', 'LEDGER')).string()).toContain('message');
});

test('every service may publish what the table gives it: the accounts are not merely closed [P-bus-from-table]', async () => {
  for (const service of members) {
    const nats = connectionOf(service);
    for (const subject of storingSubjects('own').filter((name) => owns(service, name))) {
      const reply = await nats.request(subject, '{}', { timeout: REQUEST_TIMEOUT_MS });
      expect(reply.string(), `${service} ${subject}`).toMatch(/"seq":|maximum messages per subject/);
    }
  }
  await eventually(async () => (await standing()).has('interlock.ledger.v1.settled.acme.own'));
});
