/**
 * Reading a bucket: every key it holds, then every change.
 *
 * W1 A watch's copy is current from the end of the first full reading until the connection to NATS is lost. Then the
 *    whole bucket is read again, because changes may have been missed, and the copy is current only after that.
 * W2 A reading deletes its consumer. The server keeps an unused one for five minutes and allows a thousand for a bucket:
 *    unused ones would lock every reader out.
 */
import { type BucketName, Fault } from '@interlock/contracts';
import { type ConsumerMessages, DeliverPolicy, type JsMsg, type PushConsumer } from '@nats-io/jetstream';
import { type BucketContext, type StoredValue, withinLimit } from './bucket.ts';
import { startLoop } from './loop.ts';

const RESTART_DELAY_MS = 250;

export interface WatchListener {
  /** Without a value where the key was deleted. */
  onValue(key: string, value: { data: Uint8Array; revision: number } | undefined): void;
  /** Everything the bucket held when the reading began was passed to `onValue`. */
  onCurrent(): void;
}

export interface BucketWatch extends AsyncDisposable {
  /** False while the copy may be behind (W1). */
  readonly current: boolean;
}

/** Watches every key of a bucket until disposed. */
export function watchBucket(at: BucketContext, bucket: BucketName, listener: WatchListener): BucketWatch {
  const { connection, log } = at;
  let current = false;
  let failing = false;
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
      try {
        await readBucket(at, bucket, { ...listener, onCurrent }, stopping);
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
      return current && connection.connected;
    },
    [Symbol.asyncDispose]: async () => {
      forget();
      await loop[Symbol.asyncDispose]();
    },
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
  return await withinLimit(at, async (signal) => {
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
      },
      AbortSignal.any([signal, whole.signal]),
    );
    if (!whole.signal.aborted)
      throw new Fault('dependency_unavailable', {
        detail: 'The connection to NATS was lost while a bucket was read.',
      });
    return { stored: [...found.values()], deleted: [...deleted] };
  });
}

/**
 * Reads every key of a bucket and every change after that, until the signal is aborted or the connection was lost and
 * made again: what changed in between is then missing (W1). Rejects when the server makes no consumer.
 */
async function readBucket(
  { connection, js, log }: BucketContext,
  bucket: BucketName,
  listener: WatchListener,
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
    consumer = await js.consumers.getPushConsumer(`KV_${bucket}`, {
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subjects: `${prefix}>`,
    });
    let { num_pending: unread } = await consumer.info(true);
    messages = await consumer.consume();
    if (unread === 0 && !ended) listener.onCurrent();
    // `end` may have run before there were messages to stop.
    if (ended) messages.stop();
    for await (const message of messages) {
      if (ended) break;
      listener.onValue(message.subject.slice(prefix.length), storedIn(message));
      if (unread === 0) continue;
      // A key that is written during the reading arrives after all the others, so counting it is harmless.
      unread = message.info.pending === 0 ? 0 : unread - 1;
      if (unread === 0) listener.onCurrent();
    }
  } finally {
    signal.removeEventListener('abort', end);
    forget();
    end();
    // W2
    if (connection.connected)
      await consumer?.delete().catch((error: unknown) => {
        log.debug(
          { err: error, bucket },
          'could not delete the consumer of a reading; the server does, later',
        );
      });
  }
}

function storedIn({ headers, data, seq }: JsMsg): { data: Uint8Array; revision: number } | undefined {
  return headers?.get('KV-Operation') ? undefined : { data, revision: seq };
}
