/** A house with a running auditor on a real MongoDB-wire server, and the means of somebody who tampers with it. */
import type { Bus } from '@interlock/bus';
import {
  type AuditVerification,
  canonicalJson,
  type EventBody,
  newId,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { Secret, seal } from '@interlock/keys';
import { systemClock } from '@interlock/shell';
import { eventually, type MongoServer, startMongo, startTestBus, type TestBus } from '@interlock/testkit';
import { type Collection, MongoClient } from 'mongodb';
import { auditorService } from './main.ts';
import { openStore, type RecordStore } from './mongo.ts';
import type { ChainRecord } from './record.ts';

export const TENANT = 'acme';
const ASK_TIMEOUT_MS = 20_000;

export interface AuditedHouse extends AsyncDisposable {
  readonly house: TestBus;
  readonly mongo: MongoServer;
  readonly url: Secret;
  readonly ingress: Bus;
  readonly console: Bus;
  readonly auditor: Bus;
  /** The collection of records, as an intruder has it. */
  readonly records: Collection<ChainRecord>;
  /** Starts the auditor; the house starts it once by itself. */
  start(): Promise<AsyncDisposable>;
  /** Writes a refusal of a call with these arguments on the ledger. */
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
export async function startAuditedHouse(): Promise<AuditedHouse> {
  await using stack = new AsyncDisposableStack();
  const mongo = stack.use(await startMongo());
  const house = stack.use(await startTestBus());
  const [ingress, console, auditor] = [
    await house.busOf('ingress'),
    await house.busOf('console'),
    await house.busOf('auditor'),
  ];
  const client = stack.adopt(new MongoClient(mongo.url), (it) => it.close());
  const records = client.db('interlock').collection<ChainRecord>('records');
  const owned = stack.move();
  return {
    house,
    mongo,
    url: new Secret(mongo.url),
    ingress,
    console,
    auditor,
    records,
    start: () => house.start([auditorService], { MONGODB_URL: mongo.url }),
    refuse: async (call, argument = {}, at = Date.now()) => {
      await ingress.refuse(refusal(house, call, argument, at));
    },
    verify: () => console.ask('auditor.verify', {}, ASK_TIMEOUT_MS),
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

/** Returns the sequence a signed checkpoint is for, without verifying it. */
export function sequenceOf(jws: string): number {
  const payload: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return typeof payload === 'object' && payload !== null && 'sequence' in payload
    ? Number(payload.sequence)
    : 0;
}

function refusal(
  house: TestBus,
  call: string,
  argument: Record<string, string>,
  at: number,
): EventBody<'refused'> {
  const text = canonicalJson(argument);
  const named = { tenant: TENANT, agent: 'clerk', call, tool: 'pay' };
  const evidence = { call: { ...named, arguments: text, argumentsDigest: sha256(text) } };
  return {
    ...named,
    at,
    by: 'ingress',
    code: 'policy_denied',
    detail: 'No.',
    argumentsDigest: sha256(text),
    evidence: seal(
      JSON.stringify(evidence),
      house.keyring.sealKeysOf('auditor', at),
      sealContext('evidence', call),
    ),
  };
}

/** Returns a fresh call id. */
export function newCall(): string {
  return newId('call');
}
