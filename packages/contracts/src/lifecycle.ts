/**
 * Which service may publish what, and what may follow. Types, NATS accounts, streams, consumers, permissions and tests
 * are derived from the tables of this file; nothing else grants anything.
 *
 * L1 A step has one stream and its owners; `follows` names the steps it may succeed.
 * L2 On the LINE a successor replaces its predecessor: it is published against the predecessor's sequence.
 * L3 On the LEDGER a call gets `started` or `refused`, never both, and `settled` once.
 */

/** Every service that has a NATS account. */
export const services = [
  'ingress',
  'decider',
  'limiter',
  'approver',
  'broker',
  'executor',
  'auditor',
  'console',
  'provisioner',
] as const;
export type ServiceName = (typeof services)[number];

/** Who may hold a certified key: every service, and the author of policy, who has no account on the bus. */
export const keyHolders = [...services, 'author'] as const;
export type KeyHolder = (typeof keyHolders)[number];

interface StreamDefinition {
  /** What its subjects begin with. */
  prefix: string;
  /** What the subject of an event begins with when the server publishes it once more, after storing it. */
  storedPrefix?: string;
  /** Who may read single messages and the state of the stream from its leader. */
  readers: readonly ServiceName[];
}

export const streams = {
  LINE: { prefix: 'interlock.line.v1', readers: [] },
  LEDGER: {
    prefix: 'interlock.ledger.v1',
    storedPrefix: 'interlock.done.v1',
    readers: ['ingress', 'broker', 'executor', 'auditor'],
  },
  APPROVALS: { prefix: 'interlock.approval.v1', storedPrefix: 'interlock.asked.v1', readers: ['auditor'] },
  CONTROL: { prefix: 'interlock.control.v1', readers: ['auditor'] },
  ANCHORS: { prefix: 'interlock.anchor.v1', readers: ['auditor'] },
} as const satisfies Record<string, StreamDefinition>;
export type StreamName = keyof typeof streams;

interface StepDefinition {
  stream: StreamName;
  /** The word in the subject. */
  token: string;
  owners: readonly ServiceName[];
  follows: readonly string[];
}

export const lifecycle = {
  requested: { stream: 'LINE', token: 'requested', owners: ['ingress'], follows: [] },
  decided: { stream: 'LINE', token: 'decided', owners: ['decider'], follows: ['requested', 'resolved'] },
  held: { stream: 'LINE', token: 'held', owners: ['decider'], follows: ['requested'] },
  admitted: { stream: 'LINE', token: 'admitted', owners: ['limiter'], follows: ['decided'] },
  started: { stream: 'LEDGER', token: 'started', owners: ['executor'], follows: ['admitted'] },
  restarted: { stream: 'LEDGER', token: 'restarted', owners: ['executor'], follows: ['started'] },
  settled: { stream: 'LEDGER', token: 'settled', owners: ['executor'], follows: ['started', 'restarted'] },
  refused: {
    stream: 'LEDGER',
    token: 'refused',
    owners: ['ingress', 'decider', 'limiter', 'approver', 'executor'],
    follows: ['requested', 'decided', 'held', 'admitted', 'resolved'],
  },
  evaluated: { stream: 'LEDGER', token: 'evaluated', owners: ['decider'], follows: [] },
  asked: { stream: 'APPROVALS', token: 'requested', owners: ['approver'], follows: ['held'] },
  answered: { stream: 'APPROVALS', token: 'answered', owners: ['console'], follows: ['asked'] },
  resolved: { stream: 'APPROVALS', token: 'resolved', owners: ['approver'], follows: ['asked', 'answered'] },
} as const satisfies Record<string, StepDefinition>;

export type Lifecycle = typeof lifecycle;
export type Step = keyof Lifecycle;

/** The steps of a stream. */
export type StepOf<S extends StreamName> = {
  [N in Step]: Lifecycle[N]['stream'] extends S ? N : never;
}[Step];
export type LedgerStep = StepOf<'LEDGER'>;

/** The steps that may follow a step. */
export type Successor<S extends Step> = {
  [N in Step]: S extends Lifecycle[N]['follows'][number] ? N : never;
}[Step];

interface ConsumerDefinition {
  stream: StreamName;
  service: ServiceName;
  /** Steps it delivers; where none is named, every message of the stream. */
  steps: readonly Step[];
  /** How long a delivery may stay unacknowledged before it is delivered again. */
  ackWaitMs: number;
  /** Deliveries in flight over all replicas. */
  maxAckPending: number;
  headersOnly: boolean;
}

const STEP_WAIT_MS = 5_000;
const STEP_PENDING = 2_000;

/** Durable consumers: a service pulls its own and no other. */
export const consumers = {
  decider: consumer('LINE', 'decider', ['requested']),
  'decider-resolved': consumer('APPROVALS', 'decider', ['resolved']),
  limiter: consumer('LINE', 'limiter', ['decided']),
  approver: consumer('LINE', 'approver', ['held']),
  'approver-answered': consumer('APPROVALS', 'approver', ['answered']),
  executor: { ...consumer('LINE', 'executor', ['admitted']), ackWaitMs: 10_000 },
  'executor-claims': {
    // A notice stays pending until its claim is settled; after its executor died it is delivered to another one.
    ...consumer('LEDGER', 'executor', ['started', 'restarted']),
    maxAckPending: 50_000,
    headersOnly: true,
  },
  'auditor-ledger': { ...consumer('LEDGER', 'auditor', []), ackWaitMs: 30_000 },
  'auditor-approvals': { ...consumer('APPROVALS', 'auditor', []), ackWaitMs: 30_000 },
  'auditor-control': { ...consumer('CONTROL', 'auditor', []), ackWaitMs: 30_000 },
} as const satisfies Record<string, ConsumerDefinition>;
type Consumers = typeof consumers;
export type ConsumerName = keyof Consumers;

/** The steps that a durable consumer delivers. */
export type Consumed<C extends ConsumerName> = Consumers[C]['steps'][number];

/** The consumers whose deliveries are answered by the next step of the call. */
export type StepConsumer = {
  [C in ConsumerName]: Consumers[C] extends { headersOnly: false; steps: readonly [Step, ...Step[]] }
    ? C
    : never;
}[ConsumerName];

/** The steps that claim a call. */
export type ClaimStep = Consumed<'executor-claims'>;

type AuditConsumer = {
  [C in ConsumerName]: Consumers[C]['steps'] extends readonly [] ? C : never;
}[ConsumerName];

/** The streams that the auditor reads whole, each by its consumer. */
export type AuditedStream = Consumers[AuditConsumer]['stream'];
export const auditConsumers = Object.fromEntries(
  (Object.keys(consumers) as ConsumerName[])
    .filter((name) => consumers[name].steps.length === 0)
    .map((name) => [consumers[name].stream, name]),
) as Record<AuditedStream, AuditConsumer>;
export const auditedStreams = Object.keys(auditConsumers) as [AuditedStream, ...AuditedStream[]];

/** The streams from which the auditor purges what is stored, under a checkpoint and handled. */
export const purgedStreams = ['LEDGER', 'APPROVALS'] as const satisfies readonly AuditedStream[];
export type PurgedStream = (typeof purgedStreams)[number];

/** The consumers that must have handled an event of the approvals before it may be purged. */
export const approvalHandlers = (Object.keys(consumers) as ConsumerName[]).filter(
  (name) => consumers[name].stream === 'APPROVALS' && consumers[name].steps.length > 0,
);

function consumer<N extends StreamName, V extends ServiceName, const S extends readonly StepOf<N>[]>(
  stream: N,
  service: V,
  steps: S,
) {
  return {
    ...{ stream, service, steps, ackWaitMs: STEP_WAIT_MS, maxAckPending: STEP_PENDING },
    headersOnly: false as const,
  };
}

interface BucketDefinition {
  /** The one service that writes it. */
  writer: ServiceName;
  readers: readonly ServiceName[];
  /** Entries older than this are removed; 0 keeps them. */
  maxAgeMs: number;
  /** How long the mark of a removed key stays; 0 keeps it for as long as an entry. */
  removedMs: number;
  maxBytes: number;
}

const HOUR_MS = 3_600_000;
const MEBIBYTE = 1_048_576;

/** KV buckets. Management entries (written by the console) are signed statements; see `entries.ts`. */
export const buckets = {
  tools: bucket('console', ['ingress', 'decider', 'limiter', 'broker', 'executor']),
  agents: bucket('console', ['ingress', 'decider']),
  people: bucket('console', ['approver']),
  settings: bucket('console', ['ingress', 'limiter', 'approver']),
  credentials: bucket('console', ['broker']),
  switches: bucket('console', ['limiter', 'broker', 'executor']),
  policies: bucket('console', ['decider']),
  bundles: { ...bucket('console', ['decider']), maxBytes: 256 * MEBIBYTE },
  labels: bucket('console', ['console']),
  emergencies: bucket('console', ['decider']),
  sessions: bucket('decider', ['decider']),
  // Each decider publishes its policy status every 30 s: a status that has expired is of a decider that stopped.
  policyStatuses: { ...bucket('decider', ['console']), maxAgeMs: 90_000, maxBytes: MEBIBYTE },
  epochs: { ...bucket('limiter', ['limiter']), maxBytes: MEBIBYTE },
  // The provisioner writes here only to see whether the server can still write.
  probes: { ...bucket('provisioner', []), maxBytes: MEBIBYTE },
  questions: {
    ...bucket('approver', ['approver', 'ingress', 'console']),
    maxAgeMs: 7 * 24 * HOUR_MS,
    removedMs: HOUR_MS,
    maxBytes: 192 * MEBIBYTE,
  },
  // An hour longer than an Idempotency-Key is valid, so that a late one is refused and not taken for a new one.
  outcomes: { ...bucket('auditor', ['ingress']), maxAgeMs: 25 * HOUR_MS, maxBytes: 4_096 * MEBIBYTE },
  results: { ...bucket('executor', ['ingress']), maxAgeMs: 24 * HOUR_MS, maxBytes: 1_024 * MEBIBYTE },
} as const satisfies Record<string, BucketDefinition>;
export type BucketName = keyof typeof buckets;

function bucket<R extends readonly ServiceName[], W extends ServiceName>(writer: W, readers: R) {
  return { writer, readers, maxAgeMs: 0, removedMs: 0, maxBytes: 64 * MEBIBYTE };
}

/** Buckets whose writer also tells its readers of an entry past the store: a kill switch acts while nothing can be stored. */
export const announcedBuckets = ['switches'] as const satisfies readonly BucketName[];

/**
 * The bucket whose state every service may ask for. The answer shows that the server answers, what its clock says, and
 * whether a copy of the kill switches is complete.
 */
export const pulseBucket = 'switches' satisfies BucketName;

interface RpcDefinition {
  server: ServiceName;
  clients: readonly ServiceName[];
}

/** Request-reply: who serves a verb and who may send requests to it. */
export const rpcs = {
  'broker.lease': { server: 'broker', clients: ['executor'] },
  'broker.seal': { server: 'broker', clients: ['console'] },
  'auditor.show': { server: 'auditor', clients: ['console'] },
  'auditor.replay': { server: 'auditor', clients: ['console'] },
  'decider.evaluate': { server: 'decider', clients: ['ingress'] },
  'decider.offer': { server: 'decider', clients: ['ingress'] },
  'auditor.search': { server: 'auditor', clients: ['console'] },
  'auditor.verify': { server: 'auditor', clients: ['console'] },
} as const satisfies Record<string, RpcDefinition>;
export type RpcName = keyof typeof rpcs;

/** Who may publish what on CONTROL, as `<kind>.<verb>`. A decider publishes what it accepted or refused, and no operation of a person. */
export const controlWriters = {
  console: ['*.*'],
  decider: ['policy.accepted', 'policy.refused'],
} as const satisfies Partial<Record<ServiceName, readonly string[]>>;

/** Who receives the events of a step after they were stored. */
export const storedReaders = {
  settled: ['ingress', 'limiter'],
  refused: ['ingress', 'limiter'],
  asked: ['ingress'],
} as const satisfies Partial<Record<Step, readonly ServiceName[]>>;
export type StoredStep = keyof typeof storedReaders;

/** The two ends of a call's channel: the service whose replica holds the call (its door), and its executor. */
export const channel = { door: 'ingress', executor: 'executor' } as const satisfies Record<
  string,
  ServiceName
>;
