/**
 * Signed management entries.
 *
 * 1. An entry counts only when the console's signature verifies and names the bucket and key it was read from.
 * 2. A version that is not higher than the one held is ignored: an old entry cannot be replayed as newer.
 * 3. A text that counts for nothing is known as such: whoever must act on the newest entry can refuse to act.
 */
import { type EntryBucket, type EntryValue, entrySchemas, Fault } from '@interlock/contracts';
import { type Keyring, type ServiceKeys, signStatement, verifyStatement } from '@interlock/keys';
import { LRUCache } from 'lru-cache';
import type { BucketContext } from './bucket.ts';
import type { BusClock, Entries, Entry, EntryWatch, RefusedEntry } from './bus.ts';
import { textOf } from './envelope.ts';
import { readAll, readEvery, readKey, readLast, type StoredValue, writeKey } from './records.ts';
import { watchBucket } from './watch.ts';

/** What signing and verifying entries needs besides the bucket. */
export interface EntryContext extends BucketContext {
  keys: ServiceKeys;
  keyring: Keyring;
  clock: BusClock;
  /** What was verified last, by bucket and key. */
  verified: VerifiedTexts;
}

type VerifiedTexts = LRUCache<string, Remembered>;

/** The very text that verified, and when. */
interface Remembered {
  text: string;
  atMs: number;
  entry: Verified<EntryBucket>;
}

/** A verified entry; without a value where it was removed. */
interface Verified<B extends EntryBucket> {
  key: string;
  version: number;
  value: EntryValue<B> | undefined;
}

const WRITE_TRIES = 4;
/** A text that verified is not verified again for so long: by then the key that signed it may have run out. */
const REMEMBER_MS = 1_000;
/** Entries remembered at once, of all buckets. */
const REMEMBERED_MAX = 1_024;

/** Makes what one connection remembers of all its buckets. */
export function verifiedTexts(): VerifiedTexts {
  return new LRUCache<string, Remembered>({ max: REMEMBERED_MAX });
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

/** Verifies a stored entry, unless this very text of it was verified just now. Throws `entry_forged`. */
function verify<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  { key, data }: Pick<StoredValue, 'key' | 'data'>,
): Verified<B> {
  const text = textOf(data);
  const name = `${bucket}/${key}`;
  const atMs = at.clock.monotonicMs();
  const known = at.verified.get(name);
  // The cache's key names the bucket, so what is remembered under it is of that bucket's type.
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
    if (statement.bucket !== bucket || statement.key !== key)
      throw new Fault('entry_forged', { detail: 'An entry stands under another name.' });
    const { version } = statement;
    if (statement.value === null) return { key, version, value: undefined };
    return { key, version, value: entrySchemas[bucket].parse(statement.value) as EntryValue<B> };
  } catch (cause) {
    throw new Fault('entry_forged', { detail: `The entry ${bucket}/${key} does not verify.`, cause });
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
    at.log.error({ err: error, bucket, key: stored.key }, 'a stored entry counts for nothing');
    return undefined;
  }
}

/**
 * A version is the clock's milliseconds, or one more than the last: so it is higher than any the key ever had, also
 * where somebody put an older text or none of ours in its place.
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
  throw new Fault('dependency_unavailable', { detail: 'The entry is being written by somebody else.' });
}

async function watchEntries<B extends EntryBucket>(at: EntryContext, bucket: B): Promise<EntryWatch<B>> {
  const held = new Map<string, Verified<B>>();
  const refused = new Map<string, RefusedEntry>();
  const listeners: ((key: string, value: EntryValue<B> | undefined) => void)[] = [];
  const doubters: ((key: string, why: RefusedEntry | undefined) => void)[] = [];
  const judge = (key: string, why: RefusedEntry | undefined): void => {
    if (refused.get(key) === why) return;
    if (why === undefined) refused.delete(key);
    else refused.set(key, why);
    for (const doubter of doubters) doubter(key, why);
  };
  const watch = await watchBucket(at, bucket, {
    onCurrent: () => undefined,
    onValue: (key, stored) => {
      // A raw deletion is not a management act: only a signed removal takes an entry away.
      if (stored === undefined) return judge(key, 'deleted');
      const verified = verifiedOrNot(at, bucket, { key, data: stored.data });
      if (verified === undefined) return judge(key, 'forged');
      const last = held.get(key)?.version ?? 0;
      if (verified.version > last) {
        held.set(key, verified);
        for (const listener of listeners) listener(key, verified.value);
      }
      judge(key, verified.version < last ? 'older' : undefined);
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
    onRefused: (doubter) => {
      doubters.push(doubter);
      for (const [key, why] of refused) doubter(key, why);
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
