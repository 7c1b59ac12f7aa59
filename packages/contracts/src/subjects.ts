import {
  type BucketName,
  type ConsumerName,
  consumers,
  controlWriters,
  lifecycle,
  type RpcName,
  type ServiceName,
  type Step,
  type StoredStep,
  type StreamName,
  streams,
} from './lifecycle.ts';

/** The call an event belongs to, as its subject names it. */
export interface CallAddress {
  tenant: string;
  call: string;
}

/** Returns the subject an event of a step is published on. */
export function stepSubject(step: Step, { tenant, call }: CallAddress): string {
  const { stream, token } = lifecycle[step];
  return `${streams[stream].prefix}.${token}.${tenant}.${call}`;
}

/** Returns the subject pattern of every event of a step. */
export function stepPattern(step: Step): string {
  const { stream, token } = lifecycle[step];
  return `${streams[stream].prefix}.${token}.>`;
}

/** Returns the subject pattern of every event of a stream. */
export function streamPattern(stream: StreamName): string {
  return `${streams[stream].prefix}.>`;
}

/** Returns the filters of a durable consumer. */
export function consumerPatterns(name: ConsumerName): string[] {
  const { steps, stream } = consumers[name];
  return steps.length === 0 ? [streamPattern(stream)] : steps.map(stepPattern);
}

/** Returns the subject of a management operation: kind of object, verb, tenant (`all` for none). */
export function controlSubject(kind: string, verb: string, tenant: string): string {
  return `${streams.CONTROL.prefix}.${kind}.${verb}.${tenant}`;
}

/** Returns the subject patterns that a service may publish on CONTROL. */
export function controlPatterns(service: ServiceName): string[] {
  const allowed: Partial<Record<ServiceName, readonly string[]>> = controlWriters;
  return (allowed[service] ?? []).map((pattern) => `${streams.CONTROL.prefix}.${pattern}.*`);
}

/** Returns the subject of a stream's signed checkpoints. */
export function anchorSubject(stream: StreamName): string {
  return `${streams.ANCHORS.prefix}.${stream}`;
}

/** Returns the subject pattern under which the server publishes the events of a step once more, after storing them. */
export function storedPattern(step: StoredStep): string {
  const { stream, token } = lifecycle[step];
  return `${streams[stream].storedPrefix}.${token}.>`;
}

/** Returns the subject on which the writer of an announced bucket tells its readers of the entry under a key, past the store. */
export function announceSubject(bucket: BucketName, key: string): string {
  return `interlock.entry.v1.${bucket}.${key}`;
}

/** The subject on which the provisioner says which streams the server cannot write. */
export const storesSubject = 'interlock.stores.v1';

/** Returns the subject of a request-reply verb. */
export function rpcSubject(name: RpcName): string {
  return `interlock.rpc.v1.${name}`;
}

/** Returns the subject of one direction of the channel between a call's door and its executor. */
export function channelSubject(replica: string, call: string, direction: 'in' | 'out'): string {
  return `interlock.channel.v1.${replica}.${call}.${direction}`;
}

/**
 * Returns the filter under which a step's publish expects its sequence: the call's wildcard in the stream, and the
 * step's own subject for `resolved`, so that answers may stand before it. This is the only spelling there is:
 * two spellings of one filter let both sides of a race win.
 */
export function callFilter(step: Step, address: CallAddress): string {
  if (step === 'resolved') return stepSubject(step, address);
  return `${streams[lifecycle[step].stream].prefix}.*.${address.tenant}.${address.call}`;
}

/** Returns the step and the call that a subject names, or undefined for a subject outside the lifecycle. */
export function parseSubject(subject: string): { step: Step; address: CallAddress } | undefined {
  const tokens = subject.split('.');
  const prefix = tokens.slice(0, 3).join('.');
  const [token, tenant, call, ...more] = tokens.slice(3);
  if (tenant === undefined || call === undefined || more.length > 0) return undefined;
  const step = stepNames.find(
    (name) => streams[lifecycle[name].stream].prefix === prefix && lifecycle[name].token === token,
  );
  return step === undefined ? undefined : { step, address: { tenant, call } };
}

const stepNames = Object.keys(lifecycle) as Step[];
