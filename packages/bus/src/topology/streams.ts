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
  type Republish,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { isAbsent } from '../server-errors.ts';

const MEBIBYTE = 1_048_576;
/** A call is in flight for minutes: its own limit, that of its claim, and time to restart a service. */
const LINE_MAX_AGE_MS = limits.callMs + limits.claimMs + 150_000;
const LINE_MAX_BYTES = 512 * MEBIBYTE;
const LEDGER_MAX_BYTES = 4_096 * MEBIBYTE;
const RECORD_MAX_BYTES = 1_024 * MEBIBYTE;
/** A call has one question and one resolution, and at most this many answers. */
const ANSWERS_PER_CALL = 16;
/** The server delivers at most this often; the step's owner refuses the call at the fifth delivery (S3 in `run-step.ts`). */
const DELIVERIES_MAX = 10;

export interface ProvisionOptions {
  /** Copies of each stream: 1 for one server, 3 in a cluster. */
  replicas: number;
  /** Limits in bytes, for small machines and for tests. */
  ledgerMaxBytes?: number;
}

/** Makes every stream, consumer and bucket that is missing, and changes none that exists. Returns the names of those it made. */
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

/** Makes the line and its consumers again where they were lost. The ledger is never made again while the services run. */
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

type StreamPlan = Partial<StreamConfig> & { name: StreamName };

function streamConfigs({ replicas, ledgerMaxBytes = LEDGER_MAX_BYTES }: ProvisionOptions): StreamPlan[] {
  const common = { num_replicas: replicas, retention: RetentionPolicy.Limits, storage: StorageType.File };
  const kept = { ...common, deny_delete: true, max_bytes: RECORD_MAX_BYTES, discard: DiscardPolicy.New };
  const line = replicas > 1 ? { storage: StorageType.Memory } : { persist_mode: PersistMode.Async };
  return [
    {
      ...common,
      ...line,
      name: 'LINE',
      subjects: [streamPattern('LINE')],
      max_age: nanos(LINE_MAX_AGE_MS),
      max_bytes: LINE_MAX_BYTES,
      discard: DiscardPolicy.Old,
    },
    {
      ...kept,
      name: 'LEDGER',
      subjects: [streamPattern('LEDGER')],
      max_bytes: ledgerMaxBytes,
      // L3 in `lifecycle.ts`: each step of a call is stored once.
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
      republish: republished('LEDGER'),
    },
    {
      ...kept,
      name: 'APPROVALS',
      subjects: [streamPattern('APPROVALS')],
      max_msgs_per_subject: ANSWERS_PER_CALL,
      discard_new_per_subject: true,
      deny_purge: true,
      republish: republished('APPROVALS'),
    },
    { ...kept, name: 'CONTROL', subjects: [streamPattern('CONTROL')], deny_purge: true },
    { ...kept, name: 'ANCHORS', subjects: [streamPattern('ANCHORS')], deny_purge: true },
  ];
}

/** Makes the server publish each event once more after storing it. */
function republished(stream: 'LEDGER' | 'APPROVALS'): Republish {
  return { src: streamPattern(stream), dest: `${streams[stream].storedPrefix}.>`, headers_only: false };
}

async function ensureStream(jsm: JetStreamManager, config: StreamPlan): Promise<boolean> {
  if (await exists(() => jsm.streams.info(config.name))) return false;
  await jsm.streams.add(config);
  return true;
}

async function ensureConsumer(jsm: JetStreamManager, name: ConsumerName): Promise<boolean> {
  const { stream, ackWaitMs, maxAckPending, headersOnly } = consumers[name];
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

async function ensureBucket(
  jsm: JetStreamManager,
  kvm: Kvm,
  name: BucketName,
  replicas: number,
): Promise<boolean> {
  if (await exists(() => jsm.streams.info(`KV_${name}`))) return false;
  const { maxAgeMs, maxBytes } = buckets[name];
  await kvm.create(name, {
    history: 1,
    replicas,
    max_bytes: maxBytes,
    ...(maxAgeMs === 0 ? {} : { ttl: maxAgeMs }),
  });
  return true;
}

async function exists(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
