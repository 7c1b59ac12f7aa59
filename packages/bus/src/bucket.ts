/**
 * Single keys of a KV bucket. Reads come from the leader; writes name the revision they replace.
 *
 * K1 Everything ends within `TIMEOUT_MS`, reading a whole bucket within `READ_ALL_MS`: what the server has not answered by then is `dependency_unavailable`.
 */
import { type BucketName, buckets, Fault } from '@interlock/contracts';
import { headers } from '@nats-io/transport-node';
import { assertUsable } from './connection.ts';
import type { BusContext } from './context.ts';
import { isMessageAbsent, isWrongSequence } from './server-errors.ts';

const TIMEOUT_MS = 3_000;
/** A whole bucket has up to a hundred megabytes. */
export const READ_ALL_MS = 10_000;

/** What reading and writing buckets needs. */
export type BucketContext = Pick<BusContext, 'connection' | 'pulse' | 'js' | 'jsm' | 'clock' | 'log'>;

/** A stored value with its revision. */
export interface StoredValue {
  key: string;
  data: Uint8Array;
  revision: number;
}

/** Reads one key. Returns undefined when it is absent or deleted. Throws `dependency_unavailable`. */
export async function readKey(
  at: BucketContext,
  bucket: BucketName,
  key: string,
): Promise<StoredValue | undefined> {
  const { data, revision } = await readLast(at, bucket, key);
  return data === undefined ? undefined : { key, data, revision };
}

/** Reads the last message of a key. A deletion has a revision and no data; revision 0 means that the key has no message. */
export async function readLast(
  at: BucketContext,
  bucket: BucketName,
  key: string,
): Promise<{ data: Uint8Array | undefined; revision: number }> {
  const absent = { data: undefined, revision: 0 };
  return await withinLimit(at, async () => {
    try {
      const message = await at.jsm.streams.getMessage(`KV_${bucket}`, {
        last_by_subj: `$KV.${bucket}.${key}`,
      });
      if (message === null) return absent;
      const isDeletion = (message.header?.get('KV-Operation') ?? '') !== '';
      return { data: isDeletion ? undefined : message.data, revision: message.seq };
    } catch (error) {
      if (isMessageAbsent(error)) return absent;
      throw error;
    }
  });
}

/** Writes one key. With an expected revision, returns undefined when another write came first. */
export async function writeKey(
  at: BucketContext,
  bucket: BucketName,
  key: string,
  data: Uint8Array,
  expected?: number,
): Promise<number | undefined> {
  return await withinLimit(at, async () => {
    try {
      const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } };
      const ack = await at.js.publish(`$KV.${bucket}.${key}`, data, { timeout: TIMEOUT_MS, ...expect });
      return ack.seq;
    } catch (error) {
      if (isWrongSequence(error)) return undefined;
      throw error;
    }
  });
}

/** Removes a key with its bytes; a mark of a few bytes stays for as long as the table says. */
export async function purgeKey(at: BucketContext, bucket: BucketName, key: string): Promise<void> {
  const fields = headers();
  fields.set('KV-Operation', 'PURGE');
  fields.set('Nats-Rollup', 'sub');
  const { removedMs } = buckets[bucket];
  if (removedMs > 0) fields.set('Nats-TTL', `${removedMs / 1_000}s`);
  await withinLimit(at, () =>
    at.js.publish(`$KV.${bucket}.${key}`, new Uint8Array(), { timeout: TIMEOUT_MS, headers: fields }),
  );
}

/** Does work on a bucket (K1). The signal is aborted when its time is over. */
export async function withinLimit<T>(
  { connection }: Pick<BucketContext, 'connection'>,
  work: (signal: AbortSignal) => Promise<T>,
  limitMs: number = TIMEOUT_MS,
): Promise<T> {
  assertUsable(connection, 'The store cannot be reached.');
  const overdue = Promise.withResolvers<never>();
  const stopping = new AbortController();
  const timer = setTimeout(() => {
    stopping.abort();
    overdue.reject(new Fault('dependency_unavailable', { detail: 'The store did not answer in time.' }));
  }, limitMs);
  try {
    return await Promise.race([work(stopping.signal), overdue.promise]);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('dependency_unavailable', { detail: 'The store did not answer as it should.', cause });
  } finally {
    clearTimeout(timer);
  }
}
