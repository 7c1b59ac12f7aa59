/**
 * The only importer of the MongoDB client.
 *
 * G1. Records are inserted in order, and never updated or removed: whatever fails, those stored are a whole prefix.
 * G2. An insert counts when a majority of the replicas has it in its journal.
 * G3. There are two connection pools: one with a short timeout for writing, and one for reads that take a while.
 */
import { type AuditedStream, Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { type Clock, type RepeatLog, repeat } from '@interlock/shell';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  type Collection,
  type Filter,
  type FindCursor,
  MongoBulkWriteError,
  MongoClient,
  MongoError,
  MongoInvalidArgumentError,
  MongoServerError,
} from 'mongodb';
import type { ChainRecord } from './record.ts';

/** Connecting to a server that runs takes milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Short enough to recover well within the ten seconds that are promised after an outage. */
const HEARTBEAT_MS = 1_000;
/** An insert with an fsync on a busy disk. */
const WRITE_TIMEOUT_MS = 5_000;
/** A first page of a replay may take a whole sorted read on a server without indexes. */
const READ_TIMEOUT_MS = 100_000;
/** A look-up that somebody waits for. */
const LOOK_UP_TIMEOUT_MS = 9_000;
/** Some milliseconds of hashing, between which other work has its turn. */
const PAGE_RECORDS = 250;
/** About a megabyte of usual calls: each page is a round trip, and is held whole in memory. */
const REPLAY_PAGE_RECORDS = 500;
const POOL_MAX = 4;
const DATABASE = 'interlock';
const COLLECTION = 'records';
const DUPLICATE = 11000;
/** BadValue, BSONObjectTooLarge, DocumentValidationFailure: the server will never take the same document. */
const REFUSED = [2, 10334, 121];
/** Sorts after every character of an id. */
const AFTER = '\uffff';

const tracer = trace.getTracer('interlock.auditor');

/** A record as a search returns it. */
export type Found = Omit<ChainRecord, 'evidence'>;

/** Which records a search is about; undefined fields do not narrow it. */
export interface SearchFilter {
  tenants?: string[] | undefined;
  agent?: string | undefined;
  tool?: string | undefined;
  step?: string | undefined;
  since?: number | undefined;
  until?: number | undefined;
  limit: number;
}

/** Which records a replay is about; undefined fields do not narrow it. */
export interface ReplayFilter {
  steps: readonly string[];
  tenants?: string[] | undefined;
  agent?: string | undefined;
  tool?: string | undefined;
  since: number;
  until: number;
}

export interface RecordStore extends AsyncDisposable {
  /** True, or why nothing can be stored. */
  readonly ready: true | string;
  /**
   * Inserts records in order. A record whose id is taken counts as stored when the stored one is the same; if not, its
   * id is in `conflicts`. `refusedAt` is the first record that the server will never take; later ones are not stored.
   * Throws `audit_unavailable` when it is not known what was stored.
   */
  insert(records: ChainRecord[]): Promise<{ refusedAt?: number; conflicts: string[] }>;
  /** Reads one record by id, as it is stored. */
  read(id: string): Promise<unknown>;
  /** Reads the last record of a stream that was created at an instant, as it is stored. */
  last(stream: AuditedStream, created: string): Promise<unknown>;
  /** Reads everything that is stored, page by page, in the order in which it lies there. */
  everything(): AsyncIterable<unknown[]>;
  /** Reads all records of a call, as they are stored. */
  ofCall(call: string, tenants: string[] | undefined): Promise<unknown[]>;
  /** Reads the newest records that match, newest first. */
  search(filter: SearchFilter): Promise<unknown[]>;
  /** Reads the records of calls and questions that match, oldest first, in one read of the store; `return` ends it early. */
  replay(filter: ReplayFilter): AsyncGenerator<unknown>;
}

export interface StoreOptions {
  url: Secret;
  clock: Pick<Clock, 'sleep'>;
  log: RepeatLog;
}

/** Opens the store. It returns at once; `ready` is true when the server answers. */
export async function openStore(options: StoreOptions): Promise<RecordStore> {
  await using stack = new AsyncDisposableStack();
  const writing = stack.use(openClient(options, WRITE_TIMEOUT_MS));
  const reading = stack.use(openClient(options, READ_TIMEOUT_MS));
  const read = <T>(ask: (records: Collection<ChainRecord>) => Promise<T>) =>
    orUnavailable(async () => ask(await reading.records()));
  let indexed = false;
  const owned = stack.move();
  return {
    get ready() {
      return (writing.up && reading.up) || 'MongoDB does not answer';
    },
    async insert(batch) {
      const records = await orUnavailable(() => writing.records());
      if (!indexed) await orUnavailable(() => makeIndexes(records));
      indexed = true;
      return await traced(batch.length, () => insert(records, batch));
    },
    read: (id) => read((records) => records.findOne({ _id: id })),
    last: (stream, created) =>
      read((records) =>
        records
          .find({ _id: within(`${stream}:${created}:`) })
          .sort({ _id: -1 })
          .limit(1)
          .next(),
      ),
    everything: () => everything(reading),
    ofCall: (call, tenants) => read((records) => lookUp(records, { call, ...anyOf('tenant', tenants) })),
    search: (filter) => read((records) => search(records, filter)),
    replay: (filter) => replay(reading, filter),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Client extends AsyncDisposable {
  /** True while the server answers. */
  readonly up: boolean;
  /** Returns the collection, connected. Throws when the server does not answer. */
  records(): Promise<Collection<ChainRecord>>;
}

/**
 * Opens a client that connects until it succeeds. The driver reconnects by itself only after it was connected once, so
 * the attempts before that are made here.
 */
function openClient({ url, clock, log }: StoreOptions, socketTimeoutMS: number): Client {
  const client = clientOf(url, socketTimeoutMS);
  const records = client.db(databaseOf(url)).collection<ChainRecord>(COLLECTION, {
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: WRITE_TIMEOUT_MS },
  });
  let up = false;
  let connected = false;
  client.on('serverHeartbeatSucceeded', () => {
    up = true;
  });
  client.on('serverHeartbeatFailed', () => {
    up = false;
  });
  const connect = async () => {
    if (!connected) await client.connect();
    connected = true;
  };
  const connecting = repeat({ clock, log, task: 'connecting to MongoDB', waitMs: HEARTBEAT_MS }, async () => {
    await connect();
    connecting.stop();
  });
  return {
    get up() {
      return connected && up;
    },
    async records() {
      await connect();
      return records;
    },
    async [Symbol.asyncDispose]() {
      connecting.stop();
      await client.close();
      await connecting[Symbol.asyncDispose]();
    },
  };
}

function clientOf(url: Secret, socketTimeoutMS: number): MongoClient {
  return new MongoClient(url.reveal(), {
    appName: 'interlock-auditor',
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS,
    waitQueueTimeoutMS: CONNECT_TIMEOUT_MS,
    heartbeatFrequencyMS: HEARTBEAT_MS,
    socketTimeoutMS,
    maxPoolSize: POOL_MAX,
    // The recorder repeats what failed, and asks first what is stored.
    retryWrites: false,
    retryReads: false,
    readPreference: 'primary',
    readConcernLevel: 'local',
  });
}

/** Returns the database that the address names, or our own. */
function databaseOf(url: Secret): string {
  return /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?/]+)/.exec(url.reveal())?.[1] ?? DATABASE;
}

/** For servers that use indexes. Creating them again is harmless. */
async function makeIndexes(records: Collection<ChainRecord>): Promise<void> {
  await records.createIndex({ call: 1 });
  await records.createIndex({ at: -1 });
  await records.createIndex({ agent: 1, at: -1 });
  await records.createIndex({ tool: 1, at: -1 });
}

async function insert(records: Collection<ChainRecord>, batch: ChainRecord[]) {
  const conflicts: string[] = [];
  for (let from = 0; from < batch.length; ) {
    const failed = await insertFrom(records, batch.slice(from));
    if (failed === undefined) break;
    const at = from + failed.index;
    const record = batch[at];
    if (record === undefined) throw new TypeError('MongoDB named a record that was not sent to it.');
    if (failed.why === 'refused') return { refusedAt: at, conflicts };
    const stored = await orUnavailable(() => records.findOne({ _id: record._id }));
    if (stored?.hash !== record.hash) conflicts.push(record._id);
    from = at + 1;
  }
  return { conflicts };
}

/** Where an insert stopped: the id is taken, or the server will never take the record. */
interface Stop {
  index: number;
  why: 'taken' | 'refused';
}

/** Returns where the insert stopped, or undefined when everything is stored. */
async function insertFrom(records: Collection<ChainRecord>, batch: ChainRecord[]): Promise<Stop | undefined> {
  try {
    await records.insertMany(batch, { ordered: true }); // G1
    return undefined;
  } catch (error) {
    const failed = error instanceof MongoBulkWriteError ? [error.writeErrors].flat()[0] : undefined;
    if (failed?.code === DUPLICATE) return { index: failed.index, why: 'taken' };
    if (failed !== undefined && REFUSED.includes(failed.code)) return { index: failed.index, why: 'refused' };
    if (!isRefusal(error)) throw unavailable(error);
    return batch.length === 1 ? { index: 0, why: 'refused' } : await insertOneByOne(records, batch);
  }
}

/** When a batch is refused as a whole, the server does not name the record. */
async function insertOneByOne(
  records: Collection<ChainRecord>,
  batch: ChainRecord[],
): Promise<Stop | undefined> {
  for (const [index, record] of batch.entries()) {
    const stop = await insertFrom(records, [record]);
    if (stop !== undefined) return { index, why: stop.why };
  }
  return undefined;
}

function isRefusal(error: unknown): boolean {
  if (error instanceof MongoInvalidArgumentError) return true;
  return error instanceof MongoServerError && typeof error.code === 'number' && REFUSED.includes(error.code);
}

/** One read without a filter or an order: what a server without indexes does in one pass and without holding it all. */
async function* everything(reading: Client): AsyncGenerator<unknown[]> {
  const records = await orUnavailable(() => reading.records());
  const cursor = records.find().batchSize(PAGE_RECORDS);
  try {
    while (await orUnavailable(() => cursor.hasNext())) yield cursor.readBufferedDocuments();
  } finally {
    await cursor.close().catch(() => undefined);
  }
}

async function* replay(reading: Client, wanted: ReplayFilter): AsyncGenerator<unknown> {
  const { steps, tenants, agent, tool, since, until } = wanted;
  const records = await orUnavailable(() => reading.records());
  const filter: Filter<ChainRecord> = {
    stream: { $in: ['LEDGER', 'APPROVALS'] },
    step: { $in: [...steps] },
    ...anyOf('tenant', tenants),
    ...(agent === undefined ? {} : { agent }),
    ...(tool === undefined ? {} : { tool }),
    at: { $gte: since, $lte: until },
  };
  yield* drained(records.find(filter).sort({ at: 1 }).batchSize(REPLAY_PAGE_RECORDS));
}

async function* drained(cursor: FindCursor<ChainRecord>): AsyncGenerator<unknown> {
  try {
    for (;;) {
      const record = await orUnavailable(() => cursor.next());
      if (record === null) return;
      yield record;
    }
  } finally {
    await cursor.close().catch(() => undefined);
  }
}

async function lookUp(records: Collection<ChainRecord>, filter: Filter<ChainRecord>): Promise<unknown[]> {
  return await records
    .find(filter, { signal: AbortSignal.timeout(LOOK_UP_TIMEOUT_MS) })
    .limit(CALL_RECORDS_MAX)
    .toArray();
}

/** A call has at most four records on the ledger and eighteen among the approvals. */
const CALL_RECORDS_MAX = 64;

async function search(records: Collection<ChainRecord>, wanted: SearchFilter): Promise<unknown[]> {
  const { tenants, agent, tool, step, since, until, limit } = wanted;
  const at = {
    ...(since === undefined ? {} : { $gte: since }),
    ...(until === undefined ? {} : { $lte: until }),
  };
  const filter: Filter<ChainRecord> = {
    ...anyOf('tenant', tenants),
    ...(agent === undefined ? {} : { agent }),
    ...(tool === undefined ? {} : { tool }),
    ...(step === undefined ? {} : { step }),
    ...(Object.keys(at).length === 0 ? {} : { at }),
  };
  return await records
    .find(filter, { projection: { evidence: 0 }, signal: AbortSignal.timeout(LOOK_UP_TIMEOUT_MS) })
    .sort({ at: -1 })
    .limit(limit)
    .toArray();
}

function anyOf(field: 'tenant', values: string[] | undefined): Filter<ChainRecord> {
  return values === undefined ? {} : { [field]: { $in: values } };
}

function within(prefix: string) {
  return { $gte: prefix, $lt: `${prefix}${AFTER}` };
}

async function traced<T>(records: number, work: () => Promise<T>): Promise<T> {
  const attributes = {
    'db.system.name': 'mongodb',
    'db.operation.name': 'insert',
    'db.collection.name': COLLECTION,
    'db.operation.batch.size': records,
  };
  return await tracer.startActiveSpan(
    `insert ${COLLECTION}`,
    { kind: SpanKind.CLIENT, attributes },
    async (span) => {
      try {
        return await work();
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: 'it is not known what was stored' });
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

async function orUnavailable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** The client's errors may quote what was sent, so only their name and the beginning of their message are kept. */
function unavailable(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const name = error instanceof Error ? error.name : 'Error';
  const cause = new Error(
    error instanceof MongoError ? error.message.slice(0, MESSAGE_MAX) : 'The MongoDB client failed.',
  );
  cause.name = name;
  return new Fault('audit_unavailable', { detail: 'The audit store did not answer. Try again.', cause });
}

/** The beginning of a message says what failed. */
const MESSAGE_MAX = 200;
