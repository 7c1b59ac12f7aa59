/** A test bus with a real MongoDB-wire server and an auditor, and the means to tamper with its records. */
import type { Bus } from '@interlock/bus';
import {
  type AuditVerification,
  auditVerificationSchema,
  canonicalJson,
  type EventBody,
  newId,
  sha256,
} from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { systemClock } from '@interlock/shell';
import {
  eventually,
  type MongoServer,
  makeRefused,
  type StreamSizes,
  sealedFor,
  startMongo,
  startTestBus,
  type TestBus,
} from '@interlock/testkit';
import { type Collection, MongoClient } from 'mongodb';
import { auditorService } from './main.ts';
import { openStore, type RecordStore } from './mongo.ts';
import type { ChainRecord } from './record.ts';

export const TENANT = 'acme';
const ASK_TIMEOUT_MS = 20_000;

export interface AuditedBus extends AsyncDisposable {
  readonly testBus: TestBus;
  readonly mongo: MongoServer;
  readonly url: Secret;
  readonly ingress: Bus;
  readonly console: Bus;
  readonly auditor: Bus;
  /** The collection of records, with write access. */
  readonly records: Collection<ChainRecord>;
  /** Starts an auditor. */
  start(): Promise<AsyncDisposable>;
  /** Stores a refusal of a call with these arguments on the ledger. */
  refuse(call: string, argument?: Record<string, string>, at?: number): Promise<void>;
  verify(): Promise<AuditVerification>;
  /** Resolves when every message of the ledger has a record and the last one a checkpoint. */
  settle(): Promise<void>;
}

/** Opens a store as the auditor does, and logs nothing. */
export async function openStoreAt(url: Secret): Promise<RecordStore> {
  return await openStore({ url, clock: systemClock, log: { info() {}, warn() {} } });
}

/** Starts everything but the auditor. */
export async function startAuditedBus(sizes: StreamSizes = {}): Promise<AuditedBus> {
  await using stack = new AsyncDisposableStack();
  const mongo = stack.use(await startMongo());
  const testBus = stack.use(await startTestBus(sizes));
  const [ingress, console, auditor] = [
    await testBus.busOf('ingress'),
    await testBus.busOf('console'),
    await testBus.busOf('auditor'),
  ];
  const client = stack.adopt(new MongoClient(mongo.url), (one) => one.close());
  const records = client.db('interlock').collection<ChainRecord>('records');
  const owned = stack.move();
  return {
    testBus,
    mongo,
    url: new Secret(mongo.url),
    ingress,
    console,
    auditor,
    records,
    start: () => testBus.start([auditorService], { MONGODB_URL: mongo.url }),
    refuse: async (call, argument = {}, at = Date.now()) => {
      await ingress.refuse(refusal(testBus, call, argument, at));
    },
    verify: async () =>
      auditVerificationSchema.parse(
        await console.ask('auditor.verify', { waitMs: ASK_TIMEOUT_MS }, 2 * ASK_TIMEOUT_MS),
      ),
    async settle() {
      await eventually(async () => {
        const { lastSequence } = await auditor.streamState('LEDGER');
        const last = (await auditor.anchors('LEDGER')).at(-1);
        return last !== undefined && sequenceOf(last) === lastSequence;
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns the sequence that a signed checkpoint names, without verifying it. */
export function sequenceOf(jws: string): number {
  const payload: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return typeof payload === 'object' && payload !== null && 'sequence' in payload
    ? Number(payload.sequence)
    : 0;
}

function refusal(
  { keyring }: TestBus,
  call: string,
  argument: Record<string, string>,
  at: number,
): EventBody<'refused'> {
  const text = canonicalJson(argument);
  const argumentsDigest = sha256(text);
  const named = { tenant: TENANT, agent: 'clerk', call, tool: 'pay' };
  const content = { call: { ...named, arguments: text, argumentsDigest } };
  const evidence = sealedFor('auditor', call, keyring, { content });
  return makeRefused(named, keyring, { at, by: 'ingress', argumentsDigest, evidence });
}

/** Returns a fresh call id. */
export function newCall(): string {
  return newId('call');
}
