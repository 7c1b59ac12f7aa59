/**
 * KV: a service's own records and bytes in chunks. Writes go against revisions, reads come from the leader.
 * Why one mechanism for both: docs/decisions/001.
 */
import { type BucketName, Fault, sha256 } from '@interlock/contracts';
import { JetStreamApiError } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { z } from 'zod';
import type { BucketContext } from './bucket.ts';
import type { Blobs, Records } from './bus.ts';
import { readBucket, watchBucket } from './watch.ts';

const TIMEOUT_MS = 3_000;
/** One chunk of a blob, bytes: well below the server's largest message. */
const CHUNK_BYTES = 512 * 1_024;
/** A blob has at most this many chunks: the largest result or policy bundle. */
const CHUNKS_MAX = 64;
const WRONG_LAST_SEQUENCE = [10071, 10164];
const NO_MESSAGE = 10037;

/** A stored value with its revision; a deleted key has no data. */
export interface StoredValue {
  key: string;
  data: Uint8Array;
  revision: number;
}

/** Reads one key from the leader. Throws `dependency_unavailable`. */
export async function readKey(
  at: BucketContext,
  bucket: BucketName,
  key: string,
): Promise<StoredValue | undefined> {
  const { data, revision } = await readLast(at, bucket, key);
  return data === undefined ? undefined : { key, data, revision };
}

/** Reads the last message of a key from the leader; a deletion has no data, and revision 0 says that there is none. */
export async function readLast(
  at: BucketContext,
  bucket: BucketName,
  key: string,
): Promise<{ data: Uint8Array | undefined; revision: number }> {
  return await guarded(at, async () => {
    try {
      const message = await at.jsm.streams.getMessage(`KV_${bucket}`, {
        last_by_subj: `$KV.${bucket}.${key}`,
      });
      if (message === null) return { data: undefined, revision: 0 };
      const isDeletion = (message.header?.get('KV-Operation') ?? '') !== '';
      return { data: isDeletion ? undefined : message.data, revision: message.seq };
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE)
        return { data: undefined, revision: 0 };
      throw error;
    }
  });
}

/** Writes one key. With an expected revision, returns undefined when somebody was faster. */
export async function writeKey(
  at: BucketContext,
  bucket: BucketName,
  key: string,
  data: Uint8Array,
  expected?: number,
): Promise<number | undefined> {
  return await guarded(at, async () => {
    try {
      const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } };
      const ack = await at.js.publish(`$KV.${bucket}.${key}`, data, { timeout: TIMEOUT_MS, ...expect });
      return ack.seq;
    } catch (error) {
      if (error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code)) return undefined;
      throw error;
    }
  });
}

/** Takes a key away with its bytes; a marker of a few bytes stays. */
async function purgeKey(at: BucketContext, bucket: BucketName, key: string): Promise<void> {
  const fields = headers();
  fields.set('KV-Operation', 'PURGE');
  fields.set('Nats-Rollup', 'sub');
  await guarded(at, () =>
    at.js.publish(`$KV.${bucket}.${key}`, new Uint8Array(), { timeout: TIMEOUT_MS, headers: fields }),
  );
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
  return await guarded(at, async (signal) => {
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
      throw new Fault('dependency_unavailable', { detail: 'The bus went away while a bucket was read.' });
    return { stored: [...found.values()], deleted: [...deleted] };
  });
}

/** Opens a bucket of JSON records. */
export function openRecords<T>(at: BucketContext, bucket: BucketName, schema: z.ZodType<T>): Records<T> {
  const parse = (data: Uint8Array): T => schema.parse(JSON.parse(new TextDecoder().decode(data)));
  return {
    get: async (key) => {
      const stored = await readKey(at, bucket, key);
      return stored === undefined ? undefined : { value: parse(stored.data), revision: stored.revision };
    },
    list: async () =>
      (await readAll(at, bucket)).map(({ key, data, revision }) => ({ key, value: parse(data), revision })),
    put: async (key, value, revision) =>
      await writeKey(
        at,
        bucket,
        key,
        new TextEncoder().encode(JSON.stringify(value)),
        revision === 'any' ? undefined : revision,
      ),
    remove: (key) => purgeKey(at, bucket, key),
    watch: async (listener) =>
      await watchBucket(at, bucket, {
        onValue: (key, stored) =>
          stored === undefined
            ? listener(key, undefined)
            : listener(key, parse(stored.data), stored.revision),
        onCurrent: () => undefined,
      }),
  };
}

const manifestSchema = z.strictObject({ digest: z.string(), chunks: z.int().min(0).max(CHUNKS_MAX) });

/** Opens a bucket of bytes. A manifest is written after its chunks, so that half a blob is no blob. */
export function openBlobs(at: BucketContext, bucket: BucketName): Blobs {
  return {
    put: async (key, bytes) => {
      const chunks = Math.ceil(bytes.length / CHUNK_BYTES);
      if (chunks > CHUNKS_MAX)
        throw new Fault('internal', { detail: 'A blob is larger than a bucket takes.' });
      for (let index = 0; index < chunks; index += 1) {
        await writeKey(
          at,
          bucket,
          `${key}.${index}`,
          bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
        );
      }
      await writeKey(
        at,
        bucket,
        key,
        new TextEncoder().encode(JSON.stringify({ digest: sha256(bytes), chunks })),
      );
    },
    get: async (key) => {
      const stored = await readKey(at, bucket, key);
      if (stored === undefined) return undefined;
      const manifest = manifestSchema.parse(JSON.parse(new TextDecoder().decode(stored.data)));
      const parts: Uint8Array[] = [];
      for (let index = 0; index < manifest.chunks; index += 1) {
        const chunk = await readKey(at, bucket, `${key}.${index}`);
        if (chunk !== undefined) parts.push(chunk.data);
      }
      const bytes = Buffer.concat(parts);
      return sha256(bytes) === manifest.digest ? bytes : undefined;
    },
    // The manifest goes first, so that half a blob is no blob here either.
    remove: async (key) => {
      const stored = await readKey(at, bucket, key);
      if (stored === undefined) return;
      const { chunks } = manifestSchema.parse(JSON.parse(new TextDecoder().decode(stored.data)));
      await purgeKey(at, bucket, key);
      for (let index = 0; index < chunks; index += 1) await purgeKey(at, bucket, `${key}.${index}`);
    },
  };
}

/** Does something within the time a store may take. Its signal is aborted when that is over. */
async function guarded<T>(
  { connection }: BucketContext,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!connection.connected) throw new Fault('dependency_unavailable', { detail: 'The store is away.' });
  const late = Promise.withResolvers<never>();
  const overdue = new AbortController();
  const timer = setTimeout(() => {
    overdue.abort();
    late.reject(new Fault('dependency_unavailable', { detail: 'The store did not answer in time.' }));
  }, TIMEOUT_MS);
  try {
    return await Promise.race([work(overdue.signal), late.promise]);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('dependency_unavailable', { detail: 'The store did not answer.', cause });
  } finally {
    clearTimeout(timer);
  }
}
