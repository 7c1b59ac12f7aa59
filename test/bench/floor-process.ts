/** One service of the floor: `floor-process.ts ROLE`. It passes events on and does nothing else. */
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type Bus, connectBus } from '@interlock/bus';
import { type Claim, type EventBody, Fault, limits, newId } from '@interlock/contracts';
import {
  createLog,
  loadKeyring,
  loadKeys,
  processEnvironment,
  readConfig,
  systemClock,
} from '@interlock/shell';
import { z } from 'zod';
import { callOf, claimOf, leaseOf, sampleEvents, settledOf } from './floor-events.ts';
import { THING } from './upstream.ts';

const HOST = '127.0.0.1';
/** As many events at once as the services take. */
const CONCURRENCY = { decider: 64, limiter: 256, executor: 64 } as const;
const LEASE_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;

const roleSchema = z.enum(['ingress', 'decider', 'limiter', 'broker', 'executor']);
type Role = z.infer<typeof roleSchema>;
const environmentSchema = z.object({
  NATS_URL: z.string(),
  INTERLOCK_KEYS: z.string(),
  INTERLOCK_KEYRING: z.string(),
  INTERLOCK_ROOT_KEY: z.string(),
});

const role = roleSchema.parse(process.argv[2]);
const log = createLog({ level: 'warn', service: role, replica: 'floor', stream: process.stderr });
const bus = await connect(role);
const samples = sampleEvents(systemClock.nowMs());
const url = await start(role);
process.once('disconnect', () => process.exit());
process.send?.({ url });

async function connect(service: Role): Promise<Bus> {
  const env = readConfig(environmentSchema, processEnvironment());
  const keyring = await loadKeyring({
    keyringFile: env.INTERLOCK_KEYRING,
    rootKey: env.INTERLOCK_ROOT_KEY,
  });
  const keys = await loadKeys(service, env.INTERLOCK_KEYS, keyring, systemClock.nowMs());
  return await connectBus({ service, nats: { url: env.NATS_URL }, keys, keyring, clock: systemClock, log });
}

async function start(service: Role): Promise<string> {
  switch (service) {
    case 'ingress':
      return await openDoor();
    case 'decider':
      await bus.step('decider', {
        concurrency: CONCURRENCY.decider,
        verb: ({ event }) => ({ step: 'decided', body: { ...samples.decided, call: event.call } }),
        poison: giveUp,
      });
      return '';
    case 'limiter':
      await bus.onStored('settled', () => undefined);
      await bus.onStored('refused', () => undefined);
      await bus.step('limiter', {
        concurrency: CONCURRENCY.limiter,
        verb: ({ event }) => ({ step: 'admitted', body: { ...event, charges: samples.charges } }),
        poison: giveUp,
      });
      return '';
    case 'broker':
      // What is leased is read from the ledger's leader first: a wait like any other.
      await bus.serve('broker.lease', async ({ tenant, call }) => {
        if ((await bus.readCall(tenant, call)) === undefined) throw new Fault('lease_refused');
        return leaseOf(samples, systemClock.nowMs());
      });
      return '';
    case 'executor':
      await carryOut();
      return '';
    default:
      return service satisfies never;
  }
}

async function carryOut(): Promise<void> {
  const settled = new Set<string>();
  const notices = new Map<string, () => void>();
  bus.followClaims(({ call, done }) => {
    if (settled.delete(call)) done();
    else notices.set(call, done);
  });
  const settle = async (claim: Claim, event: EventBody<'admitted'>, sequence: number): Promise<void> => {
    const { tenant, call } = claim;
    const asked = { tenant, call, statement: event.statement, arguments: event.call.arguments };
    await bus.ask('broker.lease', asked, LEASE_TIMEOUT_MS);
    bus.sendResult(claim.replyTo, call, Buffer.from(THING));
    await bus.settle(settledOf(claim, systemClock.nowMs()), sequence);
    const done = notices.get(call);
    if (done === undefined) settled.add(call);
    else done();
    notices.delete(call);
  };
  await bus.step('executor', {
    concurrency: CONCURRENCY.executor,
    verb: async ({ event }) => {
      const claim = claimOf(event.call, samples, systemClock.nowMs());
      const published = await bus.claim('started', claim, 0);
      if (!published.stored) return undefined;
      settle(claim, event, published.sequence).catch((error: unknown) =>
        log.error({ err: error }, 'a call of the floor could not be settled'),
      );
      return undefined;
    },
    poison: giveUp,
  });
}

interface Waiting {
  settled: boolean;
  body: string | undefined;
  response: ServerResponse;
}

/** Takes a request, publishes it, and answers when its outcome is stored and its body is there. */
async function openDoor(): Promise<string> {
  const replica = newId('rep');
  const waiting = new Map<string, Waiting>();
  const look = (call: string, change: (waited: Waiting) => void) => {
    const waited = waiting.get(call);
    if (waited === undefined) return;
    change(waited);
    if (!waited.settled || waited.body === undefined) return;
    waiting.delete(call);
    answer(waited.response, 200, `{"call":"${call}","outcome":"succeeded","result":${waited.body}}`);
  };
  await bus.onStored('settled', ({ call }) =>
    look(call, (waited) => {
      waited.settled = true;
    }),
  );
  await bus.onStored('refused', ({ call }) => {
    const waited = waiting.get(call);
    waiting.delete(call);
    if (waited !== undefined) answer(waited.response, 403, '{"code":"refused"}');
  });
  await bus.onStored('asked', () => undefined);
  await bus.onResult(replica, (call, body) =>
    look(call, (waited) => {
      waited.body = Buffer.from(body).toString('utf8');
    }),
  );
  const server = createServer((request, response) => {
    text(request)
      .then(async (body) => {
        const call = callOf(body, replica, systemClock.nowMs());
        waiting.set(call.call, { settled: false, body: undefined, response });
        setTimeout(() => waiting.delete(call.call) && answer(response, 504, '{}'), limits.callMs).unref();
        await bus.publish('requested', { tenant: call.tenant, call: call.call }, { call }, 0);
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'a call of the floor was not published');
        answer(response, 503, '{}');
      });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, HOST, resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port.');
  return `http://${HOST}:${address.port}`;
}

function answer(response: ServerResponse, status: number, body: string): void {
  if (response.writableEnded) return;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function giveUp(): never {
  throw new Error('A call of the floor could not be handled.');
}
