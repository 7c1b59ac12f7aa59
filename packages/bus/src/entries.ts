/**
 * Signed management entries.
 *
 * E1 An entry counts only when the console's signature verifies and names the bucket and key the entry was read from.
 * E2 A version that is not higher than the one held is ignored: an old entry cannot be replayed as a newer one.
 * E3 A stored text that does not count is reported: a reader that must act on the newest entry can refuse to act.
 */
import { type EntryBucket, type EntryValue, Fault } from '@interlock/contracts';
import { announceEntry } from './announce.ts';
import { readKey, readLast, writeKey } from './bucket.ts';
import { type EntryWatch, watchEntries } from './entry-watch.ts';
import { type Entry, type EntryContext, present, sign, verifiedOrNot, verify } from './signed-entry.ts';
import { readAll, readEvery } from './watch.ts';

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
  /**
   * Signs a value and sends it to everyone who watches the bucket, past the store. Resolves when the server has it; it is
   * not stored. Only for `announcedBuckets`. Throws `dependency_unavailable`.
   */
  announce(key: string, value: EntryValue<B>): Promise<void>;
  watch(): Promise<EntryWatch<B>>;
}

const WRITE_TRIES = 4;
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
    announce: (key, value) => announce(at, bucket, key, value),
    watch: () => watchEntries(at, bucket),
  };
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

/** Signs an entry and writes it. */
async function write<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  key: string,
  value: EntryValue<B> | null,
): Promise<string> {
  for (let attempt = 0; attempt < WRITE_TRIES; attempt += 1) {
    const { data, revision } = await readLast(at, bucket, key);
    const signed = sign(at, { bucket, key, value, data });
    if ((await writeKey(at, bucket, key, new TextEncoder().encode(signed), revision)) !== undefined)
      return signed;
  }
  throw new Fault('dependency_unavailable', { detail: 'Other writers changed the entry at the same time.' });
}

/** A store that cannot be read either is no reason to be silent: the clock gives a version by itself. */
async function announce<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  key: string,
  value: EntryValue<B>,
): Promise<void> {
  const data = await readLast(at, bucket, key).then(
    (last) => last.data,
    () => undefined,
  );
  await announceEntry(at, { bucket, key, signed: sign(at, { bucket, key, value, data }) });
}
