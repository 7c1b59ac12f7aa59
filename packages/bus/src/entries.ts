/**
 * Signed management entries.
 *
 * E1 An entry counts only when the console's signature verifies and names the bucket and key the entry was read from.
 * E2 A version that is not higher than the one held is ignored: an old entry cannot be replayed as a newer one.
 * E3 A stored text that does not count is reported: a reader that must act on the newest entry can refuse to act.
 */
import { type EntryBucket, type EntryValue, entrySchemas, Fault } from '@interlock/contracts';
import { signStatement, verifyStatement } from '@interlock/keys';
import { LRUCache } from 'lru-cache';
import { type BucketContext, readKey, readLast, type StoredValue, writeKey } from './bucket.ts';
import type { BusContext } from './context.ts';
import { textOf } from './envelope.ts';
import { type BucketWatch, readAll, readEvery, watchBucket } from './watch.ts';

/** A signed entry that was verified. */
export interface Entry<B extends EntryBucket> {
  key: string;
  value: EntryValue<B>;
  version: number;
}

/** Why a stored text does not count: no valid signature, an older version than the one held, or a deletion without a signature. */
export type RefusedEntry = 'forged' | 'older' | 'deleted';

/** A bucket of management entries. Only the console may write; every read is verified against its key. */
export interface Entries<B extends EntryBucket> {
  /** Reads from the leader. Throws `entry_forged` when the entry does not verify. */
  get(key: string): Promise<Entry<B> | undefined>;
  list(): Promise<Entry<B>[]>;
  /** Lists the entries that verify, and the keys of those that do not or were deleted without a signature. */
  survey(): Promise<{ entries: Entry<B>[]; refused: string[] }>;
  /** Signs and writes, also over a text that does not verify. Returns the signed text. */
  put(key: string, value: EntryValue<B>): Promise<string>;
  /** Writes a signed removal. */
  remove(key: string): Promise<string>;
  watch(): Promise<EntryWatch<B>>;
}

/** A live, verified copy of a bucket of signed entries. */
export interface EntryWatch<B extends EntryBucket> extends BucketWatch {
  get(key: string): EntryValue<B> | undefined;
  all(): Entry<B>[];
  /** Calls back after each change, and once for each entry held already. A removed entry has no value. */
  onChange(listener: (key: string, value: EntryValue<B> | undefined) => void): void;
  /**
   * Keys whose newest stored text does not count (E3). The copy keeps the entry it held; a reader that may only act on
   * the newest entry must check here. A key leaves when an entry that counts is stored.
   */
  readonly refused: ReadonlyMap<string, RefusedEntry>;
  /** Calls back for each key that enters `refused`, once for those in it already, and without a reason when it leaves. */
  onRefused(listener: (key: string, why: RefusedEntry | undefined) => void): void;
}

/** What signing and verifying entries needs besides the bucket. */
export interface EntryContext extends BucketContext, Pick<BusContext, 'keys' | 'keyring' | 'clock'> {
  /** What was verified last, by bucket and key. */
  verified: VerifiedEntries;
}

/** A verified entry; without a value where it was removed. */
interface Verified<B extends EntryBucket> {
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

const WRITE_TRIES = 4;
/** A text that verified is not verified again for so long; after that, the key that signed it may have expired. */
const REMEMBER_MS = 1_000;
/** Entries remembered at once, of all buckets. */
const REMEMBERED_MAX = 1_024;

/** Remembers what was verified, for a moment: reading an entry again costs no second signature check. */
export function createVerifiedEntries(): VerifiedEntries {
  return new LRUCache({ max: REMEMBERED_MAX });
}

/** Opens a bucket of signed entries. */
export function openEntries<B extends EntryBucket>(at: EntryContext, bucket: B): Entries<B> {
  return {
    get: async (key) => {
      const stored = await readKey(at, bucket, key);
      return stored === undefined ? undefined : present(verify(at, bucket, stored));
    },
    list: async () =>
      (await readAll(at, bucket))
        .map((stored) => present(verify(at, bucket, stored)))
        .filter((entry) => entry !== undefined),
    survey: () => survey(at, bucket),
    put: (key, value) => write(at, bucket, key, value),
    remove: (key) => write(at, bucket, key, null),
    watch: () => watchEntries(at, bucket),
  };
}

function present<B extends EntryBucket>({ key, version, value }: Verified<B>): Entry<B> | undefined {
  return value === undefined ? undefined : { key, version, value };
}

/** Verifies a stored entry (E1), unless this very text of it was verified just now. Throws `entry_forged`. */
function verify<B extends EntryBucket>(
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

async function survey<B extends EntryBucket>(at: EntryContext, bucket: B) {
  const { stored, deleted } = await readEvery(at, bucket);
  const entries: Entry<B>[] = [];
  const refused = [...deleted];
  for (const one of stored) {
    const verified = verifiedOrNot(at, bucket, one);
    const entry = verified === undefined ? undefined : present(verified);
    if (verified === undefined) refused.push(one.key);
    else if (entry !== undefined) entries.push(entry);
  }
  return { entries, refused };
}

function verifiedOrNot<B extends EntryBucket>(
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
 * Signs an entry and writes it. Its version is the clock's milliseconds, or one more than the last: higher than any the
 * key ever had (E2), even where an older or a foreign text was put in its place.
 */
async function write<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  key: string,
  value: EntryValue<B> | null,
): Promise<string> {
  for (let attempt = 0; attempt < WRITE_TRIES; attempt += 1) {
    const { data, revision } = await readLast(at, bucket, key);
    const last = data === undefined ? undefined : verifiedOrNot(at, bucket, { key, data });
    const version = Math.max((last?.version ?? 0) + 1, at.clock.nowMs());
    const signed = signStatement(
      { type: 'entry', bucket, key, version, issuedAt: at.clock.nowMs(), value },
      { keyId: at.keys.sign.keyId, privateKey: at.keys.sign.privateKey },
    );
    if ((await writeKey(at, bucket, key, new TextEncoder().encode(signed), revision)) !== undefined)
      return signed;
  }
  throw new Fault('dependency_unavailable', { detail: 'Other writers changed the entry at the same time.' });
}

async function watchEntries<B extends EntryBucket>(at: EntryContext, bucket: B): Promise<EntryWatch<B>> {
  const held = new Map<string, Verified<B>>();
  const refused = new Map<string, RefusedEntry>();
  const listeners: ((key: string, value: EntryValue<B> | undefined) => void)[] = [];
  const refusedListeners: ((key: string, why: RefusedEntry | undefined) => void)[] = [];
  const setRefused = (key: string, why: RefusedEntry | undefined): void => {
    if (refused.get(key) === why) return;
    if (why === undefined) refused.delete(key);
    else refused.set(key, why);
    for (const listener of refusedListeners) listener(key, why);
  };
  const watch = watchBucket(at, bucket, {
    onCurrent: () => undefined,
    onValue: (key, stored) => {
      // Only a signed removal removes an entry.
      if (stored === undefined) return setRefused(key, 'deleted');
      const verified = verifiedOrNot(at, bucket, { key, data: stored.data });
      if (verified === undefined) return setRefused(key, 'forged');
      const last = held.get(key)?.version ?? 0;
      // E2
      if (verified.version > last) {
        held.set(key, verified);
        for (const listener of listeners) listener(key, verified.value);
      }
      setRefused(key, verified.version < last ? 'older' : undefined);
    },
  });
  return {
    get: (key) => held.get(key)?.value,
    all: () => [...held.values()].map(present).filter((entry) => entry !== undefined),
    get current() {
      return watch.current;
    },
    onChange: (listener) => {
      listeners.push(listener);
      for (const { key, value } of held.values()) if (value !== undefined) listener(key, value);
    },
    refused,
    onRefused: (listener) => {
      refusedListeners.push(listener);
      for (const [key, why] of refused) listener(key, why);
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
