import type { BucketName, EntryBucket } from '@interlock/contracts';
import type { z } from 'zod';
import { type Blobs, openBlobs } from './blobs.ts';
import type { BusContext } from './context.ts';
import { type Entries, openEntries } from './entries.ts';
import { openRecords, type Records } from './records.ts';
import { createSignedVersions, createVerifiedEntries } from './signed-entry.ts';

/** The KV buckets: signed entries, a service's own records, and bytes. */
export interface Buckets {
  entries<B extends EntryBucket>(bucket: B): Entries<B>;
  records<T>(bucket: BucketName, schema: z.ZodType<T>): Records<T>;
  blobs(bucket: BucketName): Blobs;
}

/** Opens buckets over a connection. */
export function openBuckets(at: BusContext): Buckets {
  const entryContext = { ...at, verified: createVerifiedEntries(), signedVersions: createSignedVersions() };
  return {
    entries: (bucket) => openEntries(entryContext, bucket),
    records: (bucket, schema) => openRecords(at, bucket, schema),
    blobs: (bucket) => openBlobs(at, bucket),
  };
}
