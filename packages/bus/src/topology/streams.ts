/** Streams, consumers and buckets, made from the lifecycle table. Only the provisioner calls this. */
import {
  type BucketName,
  buckets,
  type ConsumerName,
  consumerPatterns,
  consumers,
  limits,
  type StreamName,
  streamPattern,
  streams,
} from '@interlock/contracts';
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  jetstream,
  PersistMode,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { isAbsent } from '../server-errors.ts';
import { PROBES } from './probe.ts';

const MEBIBYTE = 1_048_576;
/** A call is in flight for minutes: its own limit, that of its claim, and time to restart a service. */
const LINE_MAX_AGE_MS = limits.callMs + limits.claimMs + 150_000;
const LINE_MAX_BYTES = 512 * MEBIBYTE;
/** docs/streams.md: fifty calls a second for ever. */
const LEDGER_MAX_BYTES = 3_072 * MEBIBYTE;
const APPROVALS_MAX_BYTES = 512 * MEBIBYTE;
/** Nothing is removed from it: two hundred thousand management operations, and a few thousand publications of policy. */
const CONTROL_MAX_BYTES = 256 * MEBIBYTE;
/** Nothing is removed from it: the fuller it is, the rarer checkpoints become. */
const ANCHORS_MAX_BYTES = 256 * MEBIBYTE;
/** A call has one question and one resolution, and at most this many answers. */
const ANSWERS_PER_CALL = 16;
/** The server delivers at most this often; the step's owner refuses the call at the fifth delivery (S3 in `run-step.ts`). */
const DELIVERIES_MAX = 10;

export interface ProvisionOptions {
  /** Copies of each stream: 1 for one server, 3 in a cluster. */
  replicas: number;
  /** Limits in bytes, for small machines and for tests. */
  ledgerMaxBytes?: number;
  approvalsMaxBytes?: number;
  anchorsMaxBytes?: number;
}

/**
 * Makes every stream, consumer and bucket that is missing, and changes none that exists, but for a bucket that an earlier
 * provisioner had not made whole. Returns the names of those it made.
 */
export async function provision(
  connection: NatsConnection,
  jsm: JetStreamManager,
  options: ProvisionOptions,
): Promise<string[]> {
  const made: string[] = [];
  for (const config of streamConfigs(options)) if (await ensureStream(jsm, config)) made.push(config.name);
  for (const name of Object.keys(consumers) as ConsumerName[])
    if (await ensureConsumer(jsm, name)) made.push(name);
  const kvm = new Kvm(jetstream(connection));
  for (const name of Object.keys(buckets) as BucketName[])
    if (await ensureBucket(jsm, kvm, name, options.replicas)) made.push(name);
  return made;
}

/**
 * Makes the line and its consumers again where they were lost, or where the line lost what its consumers had read. The ledger
 * is never made again while the services run.
 */
export async function repairLine(jsm: JetStreamManager, options: ProvisionOptions): Promise<string[]> {
  const made: string[] = [];
  for (const config of streamConfigs(options)) {
    if (config.name === 'LINE' && (await ensureStream(jsm, config))) made.push(config.name);
  }
  for (const name of Object.keys(consumers) as ConsumerName[]) {
    if (consumers[name].stream === 'LINE' && (await ensureConsumer(jsm, name))) made.push(name);
  }
  return made;
}

/**
 * Makes the bucket of probes again. Once it could not be written the server takes nothing more for it, so this alone
 * shows that there is room again. Throws while there is none.
 */
export async function makeProbesAgain(
  connection: NatsConnection,
  jsm: JetStreamManager,
  { replicas }: ProvisionOptions,
): Promise<void> {
  if (await exists(() => jsm.streams.info(PROBES))) await jsm.streams.delete(PROBES);
  await ensureBucket(jsm, new Kvm(jetstream(connection)), 'probes', replicas);
}

/** Returns the used share of the size of each stream. */
export async function usedShares(jsm: JetStreamManager): Promise<Map<string, number>> {
  const shares = new Map<string, number>();
  for await (const { config, state } of jsm.streams.list())
    if (config.max_bytes > 0) shares.set(config.name, state.bytes / config.max_bytes);
  return shares;
}

type NamedStream = Partial<StreamConfig> & { name: StreamName };

function streamConfigs(options: ProvisionOptions): NamedStream[] {
  const own = ownConfigs(options);
  return (Object.keys(streams) as StreamName[]).map((name) => ({
    subjects: [streamPattern(name)],
    num_replicas: options.replicas,
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    ...republishing(name),
    ...own[name],
    name,
  }));
}

/** What makes each stream differ from the others. */
function ownConfigs({
  replicas,
  ledgerMaxBytes = LEDGER_MAX_BYTES,
  approvalsMaxBytes = APPROVALS_MAX_BYTES,
  anchorsMaxBytes = ANCHORS_MAX_BYTES,
}: ProvisionOptions): Record<StreamName, Partial<StreamConfig>> {
  const kept = { deny_delete: true, discard: DiscardPolicy.New };
  return {
    LINE: {
      ...(replicas > 1 ? { storage: StorageType.Memory } : { persist_mode: PersistMode.Async }),
      max_age: nanos(LINE_MAX_AGE_MS),
      max_bytes: LINE_MAX_BYTES,
      discard: DiscardPolicy.Old,
    },
    LEDGER: {
      ...kept,
      max_bytes: ledgerMaxBytes,
      // L3 in `lifecycle.ts`: each step of a call is stored once.
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
    },
    APPROVALS: {
      ...kept,
      max_bytes: approvalsMaxBytes,
      max_msgs_per_subject: ANSWERS_PER_CALL,
      discard_new_per_subject: true,
    },
    CONTROL: { ...kept, max_bytes: CONTROL_MAX_BYTES, deny_purge: true },
    ANCHORS: { ...kept, max_bytes: anchorsMaxBytes, deny_purge: true },
  };
}

/** Has the server publish each event once more after storing it, where the table gives that a prefix. */
function republishing(name: StreamName): Pick<StreamConfig, 'republish'> {
  const stream = streams[name];
  if (!('storedPrefix' in stream)) return {};
  return {
    republish: { src: streamPattern(name), dest: `${stream.storedPrefix}.>`, headers_only: false },
  };
}

async function ensureStream(jsm: JetStreamManager, config: NamedStream): Promise<boolean> {
  if (await exists(() => jsm.streams.info(config.name))) return false;
  await jsm.streams.add(config);
  return true;
}

async function ensureConsumer(jsm: JetStreamManager, name: ConsumerName): Promise<boolean> {
  const { stream, ackWaitMs, maxAckPending, headersOnly } = consumers[name];
  if (stream === 'LINE') await removeIfAhead(jsm, name);
  if (await exists(() => jsm.consumers.info(stream, name))) return false;
  const config: Partial<ConsumerConfig> = {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    filter_subjects: consumerPatterns(name),
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: maxAckPending,
    headers_only: headersOnly,
    max_deliver: stream === 'LINE' ? DELIVERIES_MAX : -1,
  };
  await jsm.consumers.add(stream, config);
  return true;
}

/**
 * Removes a consumer of the line that is further than the line itself: a power cut takes back events that were not on disk
 * yet, and not what their consumer had written of itself. It would deliver nothing until the line is as long again.
 */
async function removeIfAhead(jsm: JetStreamManager, name: ConsumerName): Promise<void> {
  const consumer = await presentOr(() => jsm.consumers.info('LINE', name));
  if (consumer === undefined) return;
  // Read after the consumer, so that an event between the two readings looks like none that is lost.
  const { state } = await jsm.streams.info('LINE');
  if (consumer.delivered.stream_seq > state.last_seq) await jsm.consumers.delete('LINE', name);
}

async function ensureBucket(
  jsm: JetStreamManager,
  kvm: Kvm,
  name: BucketName,
  replicas: number,
): Promise<boolean> {
  const { maxAgeMs, removedMs, maxBytes } = buckets[name];
  const found = await presentOr(() => jsm.streams.info(`KV_${name}`));
  if (found === undefined)
    await kvm.create(name, {
      history: 1,
      replicas,
      max_bytes: maxBytes,
      ...(maxAgeMs === 0 ? {} : { ttl: maxAgeMs }),
    });
  // Creating cannot ask for it, and whoever created the bucket may have been killed before this.
  if (removedMs > 0 && found?.config.allow_msg_ttl !== true)
    await jsm.streams.update(`KV_${name}`, { allow_msg_ttl: true });
  return found === undefined;
}

async function exists(read: () => Promise<unknown>): Promise<boolean> {
  return (await presentOr(read)) !== undefined;
}

async function presentOr<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
