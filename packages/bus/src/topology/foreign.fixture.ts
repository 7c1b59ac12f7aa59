/**
 * What a service could attack on the bus, derived from the lifecycle table alone and not from the accounts under test:
 * every subject that belongs to another service, as it is spelled from inside a service's account.
 */
import {
  anchorSubject,
  announcedBuckets,
  announceSubject,
  approvalHandlers,
  type BucketName,
  buckets,
  type ConsumerName,
  channel,
  channelSubject,
  consumerPatterns,
  consumers,
  controlSubject,
  controlWriters,
  lifecycle,
  pulseBucket,
  purgedStreams,
  type RpcName,
  rpcSubject,
  rpcs,
  type ServiceName,
  type Step,
  type StoredStep,
  type StreamName,
  stepSubject,
  storedPattern,
  storedReaders,
  storesSubject,
  streams,
} from '@interlock/contracts';

/** Calls on JetStream's API that take a stream's name at their end, and change or read it. */
const STREAM_CALLS = [
  'STREAM.CREATE',
  'STREAM.UPDATE',
  'STREAM.DELETE',
  'STREAM.PURGE',
  'STREAM.MSG.DELETE',
  'STREAM.SNAPSHOT',
  'STREAM.RESTORE',
  'STREAM.INFO',
  'STREAM.MSG.GET',
  'DIRECT.GET',
  'CONSUMER.CREATE',
  'CONSUMER.LIST',
  'CONSUMER.NAMES',
];
/** What a reader of a durable stream, of a bucket, and the auditor may call; see `lifecycle.ts`. */
const READER_CALLS = ['STREAM.INFO', 'STREAM.MSG.GET'];
const BUCKET_CALLS = [...READER_CALLS, 'CONSUMER.CREATE'];

export const streamNames = Object.keys(streams) as StreamName[];
export const bucketNames = Object.keys(buckets) as BucketName[];
export const consumerNames = Object.keys(consumers) as ConsumerName[];
export const allStreams = [...streamNames, ...bucketNames.map((name) => `KV_${name}`)];

/** True when a service may publish a subject, by the lifecycle table. */
export function owns(service: ServiceName, subject: string): boolean {
  return ownedPrefixes(service).some((prefix) => subject.startsWith(prefix));
}

function ownedPrefixes(service: ServiceName): string[] {
  const steps = stepNames.filter((step) => includes(lifecycle[step].owners, service)).map(stepPrefix);
  const written = bucketNames
    .filter((name) => buckets[name].writer === service)
    .map((name) => `$KV.${name}.`);
  const allowed: Partial<Record<ServiceName, readonly string[]>> = controlWriters;
  const control = (allowed[service] ?? []).map((pattern) =>
    pattern === '*.*' ? 'interlock.control.v1.' : `interlock.control.v1.${pattern}.`,
  );
  const anchors = service === 'auditor' ? ['interlock.anchor.v1.'] : [];
  return [...steps, ...written, ...control, ...anchors];
}

const storedNames = Object.keys(storedReaders) as StoredStep[];
const stepNames = Object.keys(lifecycle) as Step[];

function stepPrefix(step: Step): string {
  return stepSubject(step, { tenant: 'x', call: 'x' }).split('.').slice(0, 4).join('.').concat('.');
}

/** Returns one subject of every kind that is stored, for one call. */
export function storingSubjects(call: string): string[] {
  return [
    ...stepNames.map((step) => stepSubject(step, { tenant: 'acme', call })),
    controlSubject('tool', 'apply', call),
    controlSubject('policy', 'changed', call),
    controlSubject('policy', 'accepted', call),
    ...streamNames.map(anchorSubject),
    ...bucketNames.map((name) => `$KV.${name}.${call}`),
  ];
}

/** Returns the request-reply verbs and channel directions that are not a service's to publish. */
export function foreignPeerSubjects(service: ServiceName, call: string): string[] {
  const verbs = (Object.keys(rpcs) as RpcName[]).filter((name) => !includes(rpcs[name].clients, service));
  return [
    ...verbs.map(rpcSubject),
    ...(service === channel.door ? [] : [channelSubject('replica', call, 'in')]),
    ...(service === channel.executor ? [] : [channelSubject('replica', call, 'out')]),
    ...announcedBuckets
      .filter((name) => service !== buckets[name].writer)
      .map((name) => announceSubject(name, call)),
    storesSubject,
    `interlock.done.v1.settled.acme.${call}`,
    `interlock.asked.v1.requested.acme.${call}`,
  ];
}

/** Returns JetStream API calls that are not a service's to make, without the API's prefix. */
export function foreignApiCalls(service: ServiceName): string[] {
  const onStreams = allStreams.flatMap((stream) =>
    STREAM_CALLS.filter((call) => !mayCall(service, call, stream)).map((call) => `${call}.${stream}`),
  );
  const onConsumers = consumerNames
    .filter((name) => consumers[name].service !== service)
    .flatMap((name) => {
      const at = `${consumers[name].stream}.${name}`;
      const mayAsk = service === 'auditor' && approvalHandlers.includes(name);
      return [
        `CONSUMER.MSG.NEXT.${at}`,
        ...(mayAsk ? [] : [`CONSUMER.INFO.${at}`]),
        `CONSUMER.DELETE.${at}`,
        `CONSUMER.PAUSE.${at}`,
      ];
    });
  const made = streamNames.flatMap((stream) => [
    `CONSUMER.CREATE.${stream}.spy`,
    `CONSUMER.DURABLE.CREATE.${stream}.spy`,
  ]);
  return [...onStreams, ...onConsumers, ...made, 'INFO', 'STREAM.LIST', 'STREAM.NAMES', 'ACCOUNT.PURGE.CORE'];
}

function mayCall(service: ServiceName, call: string, stream: string): boolean {
  if (service === 'auditor' && call === 'STREAM.PURGE' && purgedStreams.some((one) => one === stream))
    return true;
  if (isStreamName(stream)) return READER_CALLS.includes(call) && includes(streams[stream].readers, service);
  if (call === 'STREAM.INFO' && bucketOf(stream) === pulseBucket) return true;
  const { writer, readers: reading } = buckets[bucketOf(stream)];
  return BUCKET_CALLS.includes(call) && (writer === service || includes(reading, service));
}

function isStreamName(stream: string): stream is StreamName {
  return streamNames.some((name) => name === stream);
}

function bucketOf(stream: string): BucketName {
  const found = bucketNames.find((name) => `KV_${name}` === stream);
  if (found === undefined) throw new Error(`${stream} is no bucket's stream`);
  return found;
}

/** Returns acknowledgements of other services' deliveries. */
export function foreignAcks(service: ServiceName): string[] {
  return consumerNames
    .filter((name) => consumers[name].service !== service)
    .map((name) => `$JS.ACK.${consumers[name].stream}.${name}.1.1.1.1700000000000000000.0`);
}

/** True when the table lets `to` receive what `from` publishes on a subject. */
export function mayReceive(to: ServiceName, from: ServiceName, subject: string): boolean {
  const verb = (Object.keys(rpcs) as RpcName[]).find((name) => rpcSubject(name) === subject);
  if (verb !== undefined) return rpcs[verb].server === to && includes(rpcs[verb].clients, from);
  const bucket = bucketNames.find((name) => subject.startsWith(`$KV.${name}.`));
  if (bucket !== undefined) return includes([buckets[bucket].writer, ...buckets[bucket].readers], to);
  const received = storedNames.find((step) => subject.startsWith(storedPattern(step).slice(0, -1)));
  if (received !== undefined)
    return includes(storedReaders[received], to) && includes(lifecycle[received].owners, from);
  if (consumerNames.some((name) => consumers[name].service === to && delivers(name, subject))) return true;
  if (subject.endsWith('.in')) return from === channel.door && to === channel.executor;
  if (subject.endsWith('.out')) return from === channel.executor && to === channel.door;
  return false;
}

function delivers(name: ConsumerName, subject: string): boolean {
  return consumerPatterns(name).some((pattern) => subject.startsWith(pattern.slice(0, -1)));
}

function includes(list: readonly ServiceName[], service: ServiceName): boolean {
  return list.includes(service);
}
