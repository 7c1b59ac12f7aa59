/**
 * Reading a bucket: every key it holds, then every change.
 *
 * W1 A watch's copy is current from the end of the first full reading until the connection to NATS is lost. Then the
 *    whole bucket is read again, because changes may have been missed, and the copy is current only after that.
 * W2 The copy of the bucket that the pulse asks about is current for `FRESH_MS` after the question whose answer proves that
 *    nothing is missing. A connection that stalls without a word, or a consumer that died, makes it old within a second.
 * W3 A reading deletes its consumer. The server keeps an unused one for five minutes and allows a thousand for a bucket:
 *    unused ones would lock every reader out.
 */
import { type BucketName, Fault, pulseBucket } from '@interlock/contracts';
import { type ConsumerMessages, DeliverPolicy, type JsMsg, type PushConsumer } from '@nats-io/jetstream';
import { type BucketContext, READ_ALL_MS, type StoredValue, withinLimit } from './bucket.ts';
import { startLoop } from './loop.ts';

const RESTART_DELAY_MS = 250;
/** The kill switch acts within a second: what has not heard from the server for so long counts as old. */
const FRESH_MS = 1_000;
/** A copy that lacks something for so long is read again: its consumer may be gone. */
const BEHIND_MS = 3_000;

export interface WatchListener {
  /** Without a value where the key was deleted. */
  onValue(key: string, value: { data: Uint8Array; revision: number } | undefined): void;
  /** Everything the bucket held when the reading began was passed to `onValue`. */
  onCurrent(): void;
}

/** What a reading passes on, besides. */
interface ReadListener extends WatchListener {
  /** Everything up to this sequence was passed to `onValue`, or is older. */
  onRead(sequence: number): void;
}

export interface BucketWatch extends AsyncDisposable {
  /** False while the copy may be behind (W1, W2). */
  readonly current: boolean;
}

/** Watches every key of a bucket until disposed. */
export function watchBucket(at: BucketContext, bucket: BucketName, listener: WatchListener): BucketWatch {
  const { connection, log } = at;
  let current = false;
  let failing = false;
  const freshness = bucket === pulseBucket ? watchFreshness(at) : undefined;
  const onCurrent = () => {
    current = true;
    failing = false;
    listener.onCurrent();
  };
  const forget = connection.onReconnect(() => {
    current = false;
  });
  const loop = startLoop({
    connection,
    turn: async (stopping) => {
      const behind = freshness?.begin();
      const signal = behind === undefined ? stopping : AbortSignal.any([stopping, behind]);
      const onRead = (sequence: number) => freshness?.read(sequence);
      try {
        await readBucket(at, bucket, { ...listener, onCurrent, onRead }, signal);
      } finally {
        current = false;
      }
    },
    onError: (error) => {
      // A failure that lasts is logged once, and one that a lost connection explains is no news.
      const level = failing || !connection.connected ? 'debug' : 'warn';
      log[level]({ err: error, bucket }, 'could not read a bucket; trying again');
      failing = true;
    },
    restMs: RESTART_DELAY_MS,
    retryMs: RESTART_DELAY_MS,
  });
  return {
    get current() {
      return current && connection.connected && freshness?.fresh !== false;
    },
    [Symbol.asyncDispose]: async () => {
      forget();
      freshness?.[Symbol.dispose]();
      await loop[Symbol.asyncDispose]();
    },
  };
}

/** Whether the copy of the pulse's bucket is complete, as the pulse proves (W2). */
interface Freshness extends Disposable {
  readonly fresh: boolean;
  /** Begins a reading. The signal is aborted when something is missing from it for too long. */
  begin(): AbortSignal;
  /** Notes that everything up to a sequence was read. */
  read(sequence: number): void;
}

function watchFreshness({ pulse, clock }: Pick<BucketContext, 'pulse' | 'clock'>): Freshness {
  let readUpTo = 0;
  let completeAtMs = Number.NEGATIVE_INFINITY;
  let begunAtMs = clock.monotonicMs();
  let behind = new AbortController();
  const compare = () => {
    if (pulse.last === undefined) return;
    const { askedAtMs, lastSequence } = pulse.last;
    if (readUpTo >= lastSequence) completeAtMs = askedAtMs;
    else if (askedAtMs - Math.max(begunAtMs, completeAtMs) > BEHIND_MS) behind.abort();
  };
  const forget = pulse.onAnswer(compare);
  return {
    get fresh() {
      return clock.monotonicMs() - completeAtMs <= FRESH_MS;
    },
    begin() {
      begunAtMs = clock.monotonicMs();
      // What was last before the reading began is passed on by it, or was removed.
      readUpTo = pulse.last?.lastSequence ?? 0;
      behind = new AbortController();
      return behind.signal;
    },
    read(sequence) {
      readUpTo = Math.max(readUpTo, sequence);
      compare();
    },
    [Symbol.dispose]: forget,
  };
}

/** Reads every key of a bucket. Throws `dependency_unavailable`. */
export async function readAll(at: BucketContext, bucket: BucketName): Promise<StoredValue[]> {
  return (await readEvery(at, bucket)).stored;
}

/** Reads every key of a bucket, and names those whose last message is a deletion. Throws `dependency_unavailable`. */
export async function readEvery(
  at: BucketContext,
  bucket: BucketName,
): Promise<{ stored: StoredValue[]; deleted: string[] }> {
  return await withinLimit(
    at,
    async (signal) => {
      const found = new Map<string, StoredValue>();
      const deleted = new Set<string>();
      const whole = new AbortController();
      await readBucket(
        at,
        bucket,
        {
          onValue: (key, value) => {
            if (value === undefined) {
              found.delete(key);
              deleted.add(key);
            } else {
              found.set(key, { key, ...value });
              deleted.delete(key);
            }
          },
          onCurrent: () => whole.abort(),
          onRead: () => undefined,
        },
        AbortSignal.any([signal, whole.signal]),
      );
      if (!whole.signal.aborted)
        throw new Fault('dependency_unavailable', {
          detail: 'The connection to NATS was lost while a bucket was read.',
        });
      return { stored: [...found.values()], deleted: [...deleted] };
    },
    READ_ALL_MS,
  );
}

/**
 * Reads every key of a bucket and every change after that, until the signal is aborted or the connection was lost and
 * made again: what changed in between is then missing (W1). Rejects when the server makes no consumer.
 */
async function readBucket(
  { connection, js, log }: BucketContext,
  bucket: BucketName,
  listener: ReadListener,
  signal: AbortSignal,
): Promise<void> {
  const prefix = `$KV.${bucket}.`;
  let messages: ConsumerMessages | undefined;
  let ended = signal.aborted;
  const end = () => {
    ended = true;
    messages?.stop();
  };
  const forget = connection.onReconnect(end);
  signal.addEventListener('abort', end, { once: true });
  let consumer: PushConsumer | undefined;
  try {
    // In memory: a reading that is lost is made again, and one is possible on a disk that is full.
    const options = { ...readingOptions, filter_subjects: `${prefix}>` };
    consumer = await js.consumers.getPushConsumer(`KV_${bucket}`, options);
    let { num_pending: unread } = await consumer.info(true);
    messages = await consumer.consume();
    if (unread === 0 && !ended) listener.onCurrent();
    // `end` may have run before there were messages to stop.
    if (ended) messages.stop();
    for await (const message of messages) {
      if (ended) break;
      listener.onValue(message.subject.slice(prefix.length), storedIn(message));
      listener.onRead(message.seq);
      if (unread === 0) continue;
      // A key that is written during the reading arrives after all the others, so counting it is harmless.
      unread = message.info.pending === 0 ? 0 : unread - 1;
      if (unread === 0) listener.onCurrent();
    }
  } finally {
    signal.removeEventListener('abort', end);
    forget();
    end();
    // W3
    if (connection.connected)
      await consumer?.delete().catch((error: unknown) => {
        log.debug(
          { err: error, bucket },
          'could not delete the consumer of a reading; the server does, later',
        );
      });
  }
}

const readingOptions = { deliver_policy: DeliverPolicy.LastPerSubject, mem_storage: true };

function storedIn({ headers, data, seq }: JsMsg): { data: Uint8Array; revision: number } | undefined {
  return headers?.get('KV-Operation') ? undefined : { data, revision: seq };
}
