/**
 * Watching a bucket. The copy is current from the end of the first full read until the bus goes away; then the
 * watch is made anew and reads everything again, so that nothing missed stays missed.
 */
import type { BucketName } from '@interlock/contracts';
import { jetstream } from '@nats-io/jetstream';
import type { KvWatchEntry } from '@nats-io/kv';
import { Kvm } from '@nats-io/kv';
import type { QueuedIterator } from '@nats-io/transport-node';
import type { BucketContext } from './records.ts';
import { API_PREFIX } from './topology/accounts.ts';

const RESTART_DELAY_MS = 250;

export interface WatchListener {
  onValue(key: string, value: { data: Uint8Array; revision: number } | undefined): void;
  /** All that was there when the watch began has been told. */
  onCurrent(): void;
}

export interface BucketWatch extends AsyncDisposable {
  readonly current: boolean;
}

/** Watches every key of a bucket until disposed. */
export async function watchBucket(
  { connection, log }: BucketContext,
  bucket: BucketName,
  listener: WatchListener,
): Promise<BucketWatch> {
  const kv = await new Kvm(jetstream(connection.nats, { apiPrefix: API_PREFIX })).open(bucket, {
    bindOnly: true,
  });
  let current = false;
  let stopped = false;
  let entries: QueuedIterator<KvWatchEntry> | undefined;
  connection.onReconnect(() => entries?.stop());

  const follow = async (): Promise<void> => {
    entries = await kv.watch({ key: '>' });
    // Disposed meanwhile: the stop came before there was anything to stop.
    if (stopped) entries.stop();
    const pending = (await kv.status()).values;
    if (pending === 0) markCurrent();
    for await (const entry of entries) {
      listener.onValue(
        entry.key,
        entry.operation === 'PUT' ? { data: entry.value, revision: entry.revision } : undefined,
      );
      if (entry.isUpdate || entry.delta === 0) markCurrent();
    }
  };
  const markCurrent = () => {
    if (current) return;
    current = true;
    listener.onCurrent();
  };

  const running = (async () => {
    while (!stopped && !connection.nats.isClosed()) {
      try {
        await follow();
      } catch (error) {
        log.debug({ err: error, bucket }, 'a watch stopped and starts again');
      }
      current = false;
      if (!stopped) await new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS));
    }
  })();

  return {
    get current() {
      return current && connection.connected;
    },
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      entries?.stop();
      await running;
    },
  };
}
