/**
 * The bus: everything a service may say to or hear from the other services, typed by the lifecycle table.
 *
 * 1. Every publish on a call's subjects names the sequence it expects; `callFilter` alone spells the filter.
 * 2. A rejected publish means that the step is taken: the caller stops, and that is not an error.
 * 3. What is absent proves nothing. A doubtful claim is read back from the leader and known by its nonce.
 */
import type {
  BucketName,
  CallAddress,
  Claim,
  ConsumerName,
  Control,
  EntryBucket,
  EntryValue,
  EventBody,
  Fault,
  LedgerStep,
  LineStep,
  RpcName,
  RpcReply,
  RpcRequest,
  ServiceName,
  Statement,
  Step,
  StreamName,
  Successor,
} from '@interlock/contracts';
import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { z } from 'zod';

/** Wall-clock and monotonic time, in milliseconds. */
export interface BusClock {
  nowMs(): number;
  monotonicMs(): number;
}

/** Where the bus tells what it handled itself. A pino logger fits. */
export interface BusLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What connects a service to the bus. */
export interface BusOptions {
  service: ServiceName;
  /** `nats://host:port`, several separated by commas. */
  url: string;
  keys: ServiceKeys;
  keyring: Keyring;
  clock: BusClock;
  log: BusLog;
}

/** An event as it was delivered to the owner of the next step. */
export interface Delivery<S extends Step> {
  step: S;
  event: EventBody<S>;
  address: CallAddress;
  /** Its sequence in its stream. */
  sequence: number;
  /** 1 at the first delivery. */
  deliveries: number;
  /** Acknowledges before the verb returns, once the ledger holds the call. */
  acknowledge(): void;
}

/** What a verb says after an event: one of the steps that may follow. */
export type Next<S extends Step> = { [N in Successor<S>]: { step: N; body: EventBody<N> } }[Successor<S>];

/** The steps a durable consumer delivers. */
export type Consumed<C extends ConsumerName> = C extends 'decider'
  ? 'requested'
  : C extends 'decider-resolved'
    ? 'resolved'
    : C extends 'limiter'
      ? 'decided'
      : C extends 'approver'
        ? 'held'
        : C extends 'approver-answered'
          ? 'answered'
          : C extends 'executor'
            ? 'admitted'
            : never;

export interface StepOptions<S extends Step> {
  /**
   * Returns what follows, or undefined when nothing is to be published (the verb published itself, or the step
   * is taken). A thrown Fault that is `retryable`, and anything unexpected, is delivered again later.
   */
  verb: (delivery: Delivery<S>, signal: AbortSignal) => Promise<Next<S> | undefined> | Next<S> | undefined;
  /** Returns the refusal of a call that could not be handled in five deliveries: the last fault, or `poison`. */
  poison: (delivery: Delivery<S>, fault: Fault) => EventBody<'refused'>;
  /** Events handled at once. */
  concurrency: number;
}

export type Published = { stored: true; sequence: number } | { stored: false };

/** The last thing the ledger says of a call. */
export type LedgerEntry = {
  [S in LedgerStep]: { step: S; body: EventBody<S>; sequence: number };
}[LedgerStep];

/** A signed entry that was verified. */
export interface Entry<B extends EntryBucket> {
  key: string;
  value: EntryValue<B>;
  version: number;
}

/** Why a stored text counts for nothing: nobody entitled signed it, a newer one is known, or it was taken away without a signature. */
export type RefusedEntry = 'forged' | 'older' | 'deleted';

/** A live, verified copy of a bucket of signed entries. */
export interface EntryWatch<B extends EntryBucket> extends AsyncDisposable {
  get(key: string): EntryValue<B> | undefined;
  all(): Entry<B>[];
  /** False while the copy may be behind: before the first full read, and while the bus is away. */
  readonly current: boolean;
  /** Calls back after each change, and once for each entry already there. A removed entry has no value. */
  onChange(listener: (key: string, value: EntryValue<B> | undefined) => void): void;
  /**
   * Keys whose newest stored text counts for nothing. The copy keeps what it held; a reader that may only act on the
   * newest entry must look here. A key leaves when an entry that counts is stored.
   */
  readonly refused: ReadonlyMap<string, RefusedEntry>;
  /** Calls back for each text that counts for nothing, once for those already there, and with nothing when it is gone. */
  onRefused(listener: (key: string, why: RefusedEntry | undefined) => void): void;
}

/** A bucket of management entries. Only the console may write; every read is verified against its key. */
export interface Entries<B extends EntryBucket> {
  /** Reads from the leader. Throws `entry_forged` when the entry does not verify. */
  get(key: string): Promise<Entry<B> | undefined>;
  list(): Promise<Entry<B>[]>;
  /** Lists what verifies, and the keys of what does not or was taken away without a signature. */
  survey(): Promise<{ entries: Entry<B>[]; refused: string[] }>;
  /** Signs and writes, also over a text that does not verify. Returns the signed text. */
  put(key: string, value: EntryValue<B>): Promise<string>;
  /** Writes a signed removal. */
  remove(key: string): Promise<string>;
  watch(): Promise<EntryWatch<B>>;
}

export interface StoredRecord<T> {
  value: T;
  revision: number;
}

/** A service's own bucket of JSON records (`sessions`, `questions`). */
export interface Records<T> {
  get(key: string): Promise<StoredRecord<T> | undefined>;
  list(): Promise<{ key: string; value: T; revision: number }[]>;
  /**
   * Writes against a revision; 0 means that there is none, `any` that nobody else writes this key. Returns undefined
   * when somebody was faster.
   */
  put(key: string, value: T, revision: number | 'any'): Promise<number | undefined>;
  /** Takes a record away. What is not there is gone already. */
  remove(key: string): Promise<void>;
  watch(listener: (key: string, value: T | undefined, revision?: number) => void): Promise<RecordWatch>;
}

/** A watch of records. What it tells is a copy. */
export interface RecordWatch extends AsyncDisposable {
  /** False while the copy may be behind: before the first full read, and while the bus is away. */
  readonly current: boolean;
}

/** A bucket of bytes in chunks (`results`, `bundles`). */
export interface Blobs {
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Returns undefined when it is not there, or not whole. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Gives the room back. What is not there is gone already. */
  remove(key: string): Promise<void>;
}

/** A message of a durable stream as the auditor reads it. */
export interface StreamRecord {
  stream: 'LEDGER' | 'APPROVALS' | 'CONTROL';
  /** When the stream was made, RFC 3339. */
  created: string;
  sequence: number;
  subject: string;
  /** Undefined when the subject is not one of the lifecycle's. */
  step: Step | undefined;
  /** When the server stored it, milliseconds since the epoch. */
  storedAtMs: number;
  data: Uint8Array;
}

export interface StreamState {
  created: string;
  firstSequence: number;
  lastSequence: number;
  bytes: number;
  maxBytes: number;
}

/** A claim that may need settling, as the executor hears of it: from headers alone. */
export interface ClaimNotice {
  tenant: string;
  call: string;
  step: 'started' | 'restarted';
  sequence: number;
  /** When the server stored it, milliseconds since the epoch, and how long it holds. */
  storedAtMs: number;
  claimMs: number;
  /** Says that the call is settled: the notice never comes back. */
  done(): void;
  /** Says to bring it again after a while. */
  later(delayMs: number): void;
}

export interface Bus extends AsyncDisposable {
  readonly service: ServiceName;
  /** True while the server is reachable. */
  readonly connected: boolean;

  /** Consumes a durable consumer and publishes what the verb says against the event's sequence. */
  step<C extends ConsumerName>(consumer: C, options: StepOptions<Consumed<C>>): Promise<AsyncDisposable>;

  /**
   * Publishes an event of a call and expects `expected` as the last sequence: of the call on the line, of the
   * call among the approvals (`asked`: 0), of the step itself (`resolved`: 0), of the call on the ledger
   * (`evaluated`: 0); `answered` expects `any`.
   * Throws `dependency_unavailable` when it is not known whether the event was stored.
   */
  publish<S extends LineStep | 'asked' | 'answered' | 'resolved' | 'evaluated'>(
    step: S,
    address: CallAddress,
    body: EventBody<S>,
    expected: number | 'any',
  ): Promise<Published>;

  /**
   * Claims a call: `started` expects nothing on the ledger, `restarted` expects the sequence of `started`.
   * After a lost acknowledgement the ledger is read back and the claim known by its nonce.
   */
  claim(step: 'started' | 'restarted', claim: Claim, expected: number): Promise<Published>;
  /** Settles a claim. `stored: false` means that somebody settled it before. */
  settle(settled: EventBody<'settled'>, claimSequence: number): Promise<Published>;
  /** Refuses a call for good. `stored: false` means that it is started, settled or refused already. */
  refuse(refused: EventBody<'refused'>): Promise<Published>;
  /** Reads from the leader what the ledger says last of a call. Throws `dependency_unavailable`. */
  readCall(tenant: string, call: string): Promise<LedgerEntry | undefined>;
  /** Reads from the leader one step of a call on the ledger. */
  readStep<S extends LedgerStep>(
    step: S,
    tenant: string,
    call: string,
  ): Promise<{ body: EventBody<S>; sequence: number } | undefined>;

  /** Hears of events after they were stored: of all that are published after it resolves. */
  onStored<S extends 'settled' | 'refused' | 'asked'>(
    step: S,
    listener: (body: EventBody<S>) => void,
  ): Promise<void>;

  /** Sends a result's body to the call's door in frames. */
  sendResult(replyTo: string, call: string, body: Uint8Array): void;
  /** Receives result bodies, whole, for one replica of a door. */
  onResult(replica: string, listener: (call: string, body: Uint8Array) => void): Promise<void>;
  /** Tells the executor of a call that nobody waits for it any more. */
  sendCancel(replica: string, call: string): void;
  onCancel(listener: (call: string) => void): Promise<void>;

  /** Serves a request-reply verb, from when it resolves. Faults travel to the asker with their code. */
  serve<N extends RpcName>(name: N, answer: (request: RpcRequest<N>) => Promise<RpcReply<N>>): Promise<void>;
  /** Asks. Throws the server's Fault, or `dependency_unavailable` when nobody answers in time. */
  ask<N extends RpcName>(name: N, request: RpcRequest<N>, timeoutMs: number): Promise<RpcReply<N>>;

  entries<B extends EntryBucket>(bucket: B): Entries<B>;
  records<T>(bucket: BucketName, schema: z.ZodType<T>): Records<T>;
  blobs(bucket: BucketName): Blobs;

  /** Publishes a management act. */
  control(act: Control): Promise<void>;
  /** Reads a durable stream in order, in batches; a batch is acknowledged when `store` returns. */
  follow(
    consumer: 'auditor-ledger' | 'auditor-approvals' | 'auditor-control',
    store: (batch: StreamRecord[]) => Promise<void>,
  ): AsyncDisposable;
  /** Hears of claims so that orphans get settled. */
  followClaims(listener: (notice: ClaimNotice) => void): AsyncDisposable;
  streamState(stream: StreamName): Promise<StreamState>;
  /** Reads one message of a durable stream by sequence; undefined when it is gone. */
  readSequence(
    stream: 'LEDGER' | 'APPROVALS' | 'CONTROL',
    sequence: number,
  ): Promise<StreamRecord | undefined>;
  /** Removes everything of the ledger below a sequence. The auditor's alone. */
  purgeLedgerBelow(sequence: number): Promise<void>;
  /** Signs and publishes a checkpoint. The auditor's alone. */
  anchor(anchor: Statement<'anchor'>): Promise<void>;
  /** Reads all checkpoints of a stream, oldest first, as signed. */
  anchors(stream: 'LEDGER' | 'APPROVALS' | 'CONTROL'): Promise<string[]>;
}
