import {
  buckets,
  type ConsumerName,
  consumers,
  controllers,
  lifecycle,
  type RpcName,
  type ServiceName,
  type Step,
  type StoredStep,
  type StreamName,
} from './lifecycle.ts';

/** The call an event belongs to, as its subject names it. */
export interface CallAddress {
  tenant: string;
  call: string;
}

const families = {
  LINE: 'interlock.line.v1',
  LEDGER: 'interlock.ledger.v1',
  APPROVALS: 'interlock.approval.v1',
  CONTROL: 'interlock.control.v1',
  ANCHORS: 'interlock.anchor.v1',
} as const satisfies Record<StreamName, string>;

/** Returns the subject an event of a step is published on. */
export function stepSubject(step: Step, { tenant, call }: CallAddress): string {
  const { stream, token } = lifecycle[step];
  return `${families[stream]}.${token}.${tenant}.${call}`;
}

/** Returns the subject pattern of every event of a step. */
export function stepPattern(step: Step): string {
  const { stream, token } = lifecycle[step];
  return `${families[stream]}.${token}.>`;
}

/** Returns the subject pattern of every event of a stream. */
export function streamPattern(stream: StreamName): string {
  return `${families[stream]}.>`;
}

/** Returns the filters of a durable consumer. */
export function consumerPatterns(name: ConsumerName): string[] {
  const { steps, stream } = consumers[name];
  return steps.length === 0 ? [streamPattern(stream)] : steps.map(stepPattern);
}

/** Returns the subject of a management act: what kind of thing, what was done, for which tenant (`all` for none). */
export function controlSubject(kind: string, verb: string, tenant: string): string {
  return `${families.CONTROL}.${kind}.${verb}.${tenant}`;
}

/** Returns the subject patterns a service may tell of on CONTROL. */
export function controlPatterns(service: ServiceName): string[] {
  const told: Partial<Record<ServiceName, readonly string[]>> = controllers;
  return (told[service] ?? []).map((pattern) => `${families.CONTROL}.${pattern}.*`);
}

/** Returns the subject of a stream's signed checkpoints. */
export function anchorSubject(stream: StreamName): string {
  return `${families.ANCHORS}.${stream}`;
}

/** Returns the subject a ledger or approval event appears on after it was stored. */
export function storedPattern(step: StoredStep): string {
  return step === 'asked' ? 'interlock.asked.v1.requested.>' : `interlock.done.v1.${step}.>`;
}

/** Returns the subject of a request-reply verb. */
export function rpcSubject(name: RpcName): string {
  return `interlock.rpc.v1.${name}`;
}

/** Returns the subject of one direction of the channel between a call's door and its executor. */
export function channelSubject(replica: string, call: string, direction: 'in' | 'out'): string {
  return `interlock.channel.v1.${replica}.${call}.${direction}`;
}

/** Names of all KV buckets' streams. */
export const bucketStreams = Object.keys(buckets).map((name) => `KV_${name}`);

/** Republishing a stream after storing: which subjects appear again, and under what. */
export const republished = {
  LEDGER: { src: 'interlock.ledger.v1.>', dest: 'interlock.done.v1.>' },
  APPROVALS: { src: 'interlock.approval.v1.>', dest: 'interlock.asked.v1.>' },
} as const;

/**
 * Returns the filter under which a step's publish expects its sequence: the call's wildcard in the stream, and the
 * step's own subject for `resolved`, so that answers may stand before it. This is the only spelling there is:
 * two spellings of one filter let both sides of a race in.
 */
export function callFilter(step: Step, address: CallAddress): string {
  if (step === 'resolved') return stepSubject(step, address);
  return `${families[lifecycle[step].stream]}.*.${address.tenant}.${address.call}`;
}

/** Returns the step and the call a subject names, or undefined when it is none of the lifecycle's. */
export function parseSubject(subject: string): { step: Step; address: CallAddress } | undefined {
  const tokens = subject.split('.');
  const family = tokens.slice(0, 3).join('.');
  const [token, tenant, call, ...more] = tokens.slice(3);
  if (tenant === undefined || call === undefined || more.length > 0) return undefined;
  const step = stepNames.find(
    (name) => families[lifecycle[name].stream] === family && lifecycle[name].token === token,
  );
  return step === undefined ? undefined : { step, address: { tenant, call } };
}

const stepNames = Object.keys(lifecycle) as Step[];
