/**
 * Reading a bucket: what is there, then what comes.
 *
 * 1. A watch's copy is current from the end of the first full reading until the bus goes away; then the bucket is
 *    read anew and whole, so that nothing missed stays missed. It is not current again before that: what came while
 *    the bus was away is in no copy from before, and what such a reading had in hand counts for nothing.
 * 2. A reading takes its consumer away with it. The server keeps one that nobody hears for five minutes and takes a
 *    thousand for a bucket: left behind, they would shut every reader out.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BucketName } from '@interlock/contracts';
import { type ConsumerMessages, DeliverPolicy, type JsMsg, type PushConsumer } from '@nats-io/jetstream';
import type { BucketContext } from './bucket.ts';

const RESTART_DELAY_MS = 250;

export interface WatchListener {
  /** Without a value where the key was deleted. */
  onValue(key: string, value: { data: Uint8Array; revision: number } | undefined): void;
  /** All that was there when the reading began has been told. */
  onCurrent(): void;
}

export interface BucketWatch extends AsyncDisposable {
  readonly current: boolean;
}

/** Watches every key of a bucket until disposed. */
export async function watchBucket(
  at: BucketContext,
  bucket: BucketName,
  listener: WatchListener,
): Promise<BucketWatch> {
  const { connection, log } = at;
  const stopping = new AbortController();
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
  const running = (async () => {
    while (!stopping.signal.aborted && !connection.nats.isClosed()) {
      try {
        await readBucket(at, bucket, { ...listener, onCurrent }, stopping.signal);
      } catch (error) {
        // Told once for each failure that lasts; while the bus is away nothing else can be expected.
        const level = failing || !connection.connected ? 'debug' : 'warn';
        log[level]({ err: error, bucket }, 'a bucket could not be read and is read again');
        failing = true;
      }
      current = false;
      await delay(RESTART_DELAY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    get current() {
      return current && connection.connected;
    },
    [Symbol.asyncDispose]: async () => {
      forget();
      stopping.abort();
      await running;
    },
  };
}

/**
 * Reads every key of a bucket and goes on reading until the signal, or until the connection was lost and is there
 * again: what came in between is then missing. Rejects when the server makes no consumer.
 */
export async function readBucket(
  { connection, js, log }: Pick<BucketContext, 'connection' | 'js' | 'log'>,
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
    let { num_pending: left } = await consumer.info(true);
    messages = await consumer.consume();
    if (left === 0 && !ended) listener.onCurrent();
    // Ended meanwhile: there was nothing to stop then.
    if (ended) messages.stop();
    for await (const message of messages) {
      if (ended) break;
      listener.onValue(message.subject.slice(prefix.length), storedIn(message));
      if (left === 0) continue;
      // What was replaced while it was read comes after all the rest, so that counting it in does no harm.
      left = message.info.pending === 0 ? 0 : left - 1;
      if (left === 0) listener.onCurrent();
    }
  } finally {
    signal.removeEventListener('abort', end);
    forget();
    end();
    if (connection.connected)
      await consumer?.delete().catch((error: unknown) => {
        // The server removes it by itself, later.
        log.debug({ err: error, bucket }, 'a consumer was left behind');
      });
  }
}

function storedIn({ headers, data, seq }: JsMsg): { data: Uint8Array; revision: number } | undefined {
  return headers?.get('KV-Operation') ? undefined : { data, revision: seq };
}
