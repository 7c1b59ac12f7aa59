/**
 * One signed entry: verified after it was read, and signed before it is written. E1 and E2 stand in `entries.ts`.
 */
import { type EntryBucket, type EntryValue, entrySchemas, Fault } from '@interlock/contracts';
import { signStatement, verifyStatement } from '@interlock/keys';
import { LRUCache } from 'lru-cache';
import type { BucketContext, StoredValue } from './bucket.ts';
import type { BusContext } from './context.ts';
import { textOf } from './envelope.ts';

/** A signed entry that was verified. */
export interface Entry<B extends EntryBucket> {
  key: string;
  value: EntryValue<B>;
  version: number;
}

/** What signing and verifying entries needs besides the bucket. */
export interface EntryContext extends BucketContext, Pick<BusContext, 'keys' | 'keyring' | 'clock'> {
  /** What was verified last, by bucket and key. */
  verified: VerifiedEntries;
  /** The version that was signed last, by bucket and key. */
  signedVersions: SignedVersions;
}

/** A verified entry; without a value where it was removed. */
export interface Verified<B extends EntryBucket> {
  key: string;
  version: number;
  value: EntryValue<B> | undefined;
}

/** A text that verified, when it did, and its entry. */
interface Remembered {
  text: string;
  atMs: number;
  entry: Verified<EntryBucket>;
}

export type VerifiedEntries = LRUCache<string, Remembered>;
export type SignedVersions = LRUCache<string, number>;

/** A text that verified is not verified again for so long; after that, the key that signed it may have expired. */
const REMEMBER_MS = 1_000;
/** Entries remembered at once, of all buckets. */
const REMEMBERED_MAX = 1_024;

/** Remembers what was verified, for a moment: reading an entry again costs no second signature check. */
export function createVerifiedEntries(): VerifiedEntries {
  return new LRUCache({ max: REMEMBERED_MAX });
}

/** Remembers the versions that this process signed: an entry that was announced has one, and may not be stored. */
export function createSignedVersions(): SignedVersions {
  return new LRUCache({ max: REMEMBERED_MAX });
}

/** Returns an entry that was not removed. */
export function present<B extends EntryBucket>({ key, version, value }: Verified<B>): Entry<B> | undefined {
  return value === undefined ? undefined : { key, version, value };
}

/** Verifies a stored entry (E1), unless this very text of it was verified just now. Throws `entry_forged`. */
export function verify<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  { key, data }: Pick<StoredValue, 'key' | 'data'>,
): Verified<B> {
  const text = textOf(data);
  const name = `${bucket}/${key}`;
  const atMs = at.clock.monotonicMs();
  const known = at.verified.get(name);
  // The name begins with the bucket, so the entry under it is of that bucket's type.
  if (known?.text === text && atMs - known.atMs < REMEMBER_MS) return known.entry as Verified<B>;
  const entry = verifyText(at, bucket, { key, text });
  at.verified.set(name, { text, atMs, entry });
  return entry;
}

function verifyText<B extends EntryBucket>(
  { keyring, clock }: EntryContext,
  bucket: B,
  { key, text }: { key: string; text: string },
): Verified<B> {
  try {
    const statement = verifyStatement(text, 'entry', keyring, clock.nowMs());
    // E1
    if (statement.bucket !== bucket || statement.key !== key)
      throw new Fault('entry_forged', { detail: 'The entry was signed for another bucket or key.' });
    const { version } = statement;
    if (statement.value === null) return { key, version, value: undefined };
    return { key, version, value: entrySchemas[bucket].parse(statement.value) as EntryValue<B> };
  } catch (cause) {
    throw new Fault('entry_forged', {
      detail: `The stored entry ${bucket}/${key} has no valid signature of the console.`,
      cause,
    });
  }
}

/** Returns an entry, or undefined where its text does not verify, which is logged. */
export function verifiedOrNot<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  stored: Pick<StoredValue, 'key' | 'data'>,
): Verified<B> | undefined {
  try {
    return verify(at, bucket, stored);
  } catch (error) {
    at.log.error(
      { err: error, bucket, key: stored.key },
      'ignored a stored entry that does not verify; write the entry again to mend it',
    );
    return undefined;
  }
}

/**
 * Signs an entry. Its version is the clock's milliseconds, or one more than the last: higher than any the key ever had
 * (E2), even where an older or a foreign text was put in its place.
 */
export function sign<B extends EntryBucket>(
  at: EntryContext,
  {
    bucket,
    key,
    value,
    data,
  }: { bucket: B; key: string; value: EntryValue<B> | null; data: Uint8Array | undefined },
): string {
  const last = data === undefined ? undefined : verifiedOrNot(at, bucket, { key, data });
  const name = `${bucket}/${key}`;
  const taken = Math.max(last?.version ?? 0, at.signedVersions.get(name) ?? 0);
  const version = Math.max(taken + 1, at.clock.nowMs());
  at.signedVersions.set(name, version);
  return signStatement(
    { type: 'entry', bucket, key, version, issuedAt: at.clock.nowMs(), value },
    { keyId: at.keys.sign.keyId, privateKey: at.keys.sign.privateKey },
  );
}
