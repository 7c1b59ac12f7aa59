import type { BucketName } from '@interlock/contracts';
import type { z } from 'zod';
import { type BucketContext, purgeKey, readKey, type StoredValue, writeKey } from './bucket.ts';
import { type BucketWatch, readAll, watchBucket } from './watch.ts';

export interface StoredRecord<T> {
  value: T;
  revision: number;
}

/** A service's own bucket of JSON records (`sessions`, `questions`). */
export interface Records<T> {
  get(key: string): Promise<StoredRecord<T> | undefined>;
  /** Reads every record. One that does not have its shape is logged and left out. */
  list(): Promise<{ key: string; value: T; revision: number }[]>;
  /**
   * Writes against a revision; 0 expects no record, `any` is for a key that no other replica writes. Returns undefined when
   * another write came first.
   */
  put(key: string, value: T, revision: number | 'any'): Promise<number | undefined>;
  /** Removes a record. A second removal is harmless. */
  remove(key: string): Promise<void>;
  watch(listener: (key: string, value: T | undefined, revision?: number) => void): Promise<RecordWatch>;
}

/** A watch of records; its listener is called with each record, and with each change. */
export type RecordWatch = BucketWatch;

/** Opens a bucket of JSON records. */
export function openRecords<T>(at: BucketContext, bucket: BucketName, schema: z.ZodType<T>): Records<T> {
  const parse = (data: Uint8Array): T => schema.parse(JSON.parse(new TextDecoder().decode(data)));
  /** One record that does not have its shape hides no other. */
  const parseOrNone = ({ key, data, revision }: StoredValue) => {
    try {
      return [{ key, value: parse(data), revision }];
    } catch (error) {
      at.log.error({ err: error, bucket, key }, 'left out a record that does not have its shape');
      return [];
    }
  };
  return {
    get: async (key) => {
      const stored = await readKey(at, bucket, key);
      return stored === undefined ? undefined : { value: parse(stored.data), revision: stored.revision };
    },
    list: async () => (await readAll(at, bucket)).flatMap(parseOrNone),
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
      watchBucket(at, bucket, {
        onValue: (key, stored) =>
          stored === undefined
            ? listener(key, undefined)
            : listener(key, parse(stored.data), stored.revision),
        onCurrent: () => undefined,
      }),
  };
}
