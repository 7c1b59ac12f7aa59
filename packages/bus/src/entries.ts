/**
 * Signed management entries.
 *
 * 1. An entry counts only when the console's signature verifies and names the bucket and key it was read from.
 * 2. A version that is not higher than the one held is ignored: an old entry cannot be replayed as newer.
 */
import {
  type EntryBucket,
  type EntryValue,
  entrySchemas,
  Fault,
  type Keyring,
  type ServiceKeys,
  sha256,
  signStatement,
  verifyStatement,
} from '@interlock/contracts';
import type { BusClock, Entries, Entry, EntryWatch } from './bus.ts';
import { textOf } from './envelope.ts';
import { type BucketContext, readAll, readKey, type StoredValue, writeKey } from './records.ts';
import { watchBucket } from './watch.ts';

/** What signing and verifying entries needs besides the bucket. */
export interface EntryContext extends BucketContext {
  keys: ServiceKeys;
  keyring: Keyring;
  clock: BusClock;
  /** What was verified last, by bucket and key. */
  verified: Map<string, Remembered>;
}

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
  // The map's key names the bucket, so what is remembered under it is of that bucket's type.
  if (known?.text === text && atMs - known.atMs < REMEMBER_MS) return known.entry as Verified<B>;
  const entry = verifyText(at, bucket, { key, text });
  if (at.verified.size >= REMEMBERED_MAX) at.verified.clear();
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

async function write<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
  key: string,
  value: EntryValue<B> | null,
): Promise<string> {
  for (let attempt = 0; attempt < WRITE_TRIES; attempt += 1) {
    const before = await readKey(at, bucket, key);
    const version = before === undefined ? 1 : verify(at, bucket, before).version + 1;
    const signed = signStatement(
      { type: 'entry', bucket, key, version, issuedAt: at.clock.nowMs(), value },
      { keyId: at.keys.sign.keyId, privateKey: at.keys.sign.privateKey },
    );
    if (
      (await writeKey(at, bucket, key, new TextEncoder().encode(signed), before?.revision ?? 0)) !== undefined
    )
      return sha256(signed);
  }
  throw new Fault('dependency_unavailable', { detail: 'The entry is being written by somebody else.' });
}

async function watchEntries<B extends EntryBucket>(at: EntryContext, bucket: B): Promise<EntryWatch<B>> {
  const held = new Map<string, Verified<B>>();
  const listeners: ((key: string, value: EntryValue<B> | undefined) => void)[] = [];
  const watch = await watchBucket(at, bucket, {
    onCurrent: () => undefined,
    onValue: (key, stored) => {
      // A raw deletion is not a management act: only a signed removal takes an entry away.
      if (stored === undefined) return;
      try {
        const verified = verify(at, bucket, { key, ...stored });
        if (verified.version <= (held.get(key)?.version ?? 0)) return;
        held.set(key, verified);
        for (const listener of listeners) listener(key, verified.value);
      } catch (error) {
        at.log.error({ err: error, bucket, key }, 'a stored entry was ignored');
      }
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
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
