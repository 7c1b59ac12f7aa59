/**
 * A bucket of bytes in chunks.
 *
 * D1 The manifest is written after its chunks and removed before them, and it names the digest of the bytes: a blob is
 *    read whole or not at all.
 * Why no object store: docs/decisions/001.
 */
import { type BucketName, Fault, sha256 } from '@interlock/contracts';
import { z } from 'zod';
import { type BucketContext, purgeKey, readKey, writeKey } from './bucket.ts';

/** One chunk, bytes: well below the server's largest message. */
const CHUNK_BYTES = 512 * 1_024;
/** A blob has at most this many chunks: the largest result or policy bundle. */
const CHUNKS_MAX = 64;

const manifestSchema = z.strictObject({ digest: z.string(), chunks: z.int().min(0).max(CHUNKS_MAX) });

/** A bucket of bytes (`results`, `bundles`). */
export interface Blobs {
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Returns undefined when the blob is absent or incomplete. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Removes a blob and frees its space. A second removal is harmless. */
  remove(key: string): Promise<void>;
}

/** Opens a bucket of bytes. */
export function openBlobs(at: BucketContext, bucket: BucketName): Blobs {
  return {
    put: (key, bytes) => writeBlob(at, bucket, key, bytes),
    get: (key) => readBlob(at, bucket, key),
    remove: (key) => removeBlob(at, bucket, key),
  };
}

async function writeBlob(
  at: BucketContext,
  bucket: BucketName,
  key: string,
  bytes: Uint8Array,
): Promise<void> {
  const chunks = Math.ceil(bytes.length / CHUNK_BYTES);
  if (chunks > CHUNKS_MAX)
    throw new Fault('internal', {
      detail: `A blob of ${bytes.length} bytes is larger than ${CHUNKS_MAX * CHUNK_BYTES}.`,
    });
  for (let index = 0; index < chunks; index += 1) {
    const chunk = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    await writeKey(at, bucket, `${key}.${index}`, chunk);
  }
  // D1: the manifest is last.
  const manifest = JSON.stringify({ digest: sha256(bytes), chunks });
  await writeKey(at, bucket, key, new TextEncoder().encode(manifest));
}

async function readBlob(at: BucketContext, bucket: BucketName, key: string): Promise<Uint8Array | undefined> {
  const manifest = await readManifest(at, bucket, key);
  if (manifest === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for (let index = 0; index < manifest.chunks; index += 1) {
    const chunk = await readKey(at, bucket, `${key}.${index}`);
    if (chunk !== undefined) parts.push(chunk.data);
  }
  const bytes = Buffer.concat(parts);
  return sha256(bytes) === manifest.digest ? bytes : undefined;
}

async function removeBlob(at: BucketContext, bucket: BucketName, key: string): Promise<void> {
  const manifest = await readManifest(at, bucket, key);
  if (manifest === undefined) return;
  // D1: the manifest is first.
  await purgeKey(at, bucket, key);
  for (let index = 0; index < manifest.chunks; index += 1) await purgeKey(at, bucket, `${key}.${index}`);
}

async function readManifest(at: BucketContext, bucket: BucketName, key: string) {
  const stored = await readKey(at, bucket, key);
  if (stored === undefined) return undefined;
  return manifestSchema.parse(JSON.parse(new TextDecoder().decode(stored.data)));
}
