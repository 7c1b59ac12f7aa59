/** The live, verified copy of a bucket of signed entries: E1 to E3 in `entries.ts`. */
import { announcedBuckets, type BucketName, type EntryBucket, type EntryValue } from '@interlock/contracts';
import { onAnnounced } from './announce.ts';
import { type Entry, type EntryContext, present, type Verified, verifiedOrNot } from './signed-entry.ts';
import { type BucketWatch, watchBucket } from './watch.ts';

/** Why a stored text does not count: no valid signature, an older version than the one held, or a deletion without a signature. */
export type RefusedEntry = 'forged' | 'older' | 'deleted';

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

const announced: readonly BucketName[] = announcedBuckets;

/** Watches a bucket of signed entries until disposed. */
export async function watchEntries<B extends EntryBucket>(
  at: EntryContext,
  bucket: B,
): Promise<EntryWatch<B>> {
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
  /** Takes an entry that is newer than the one held (E2). Returns whether it is older. */
  const take = (key: string, verified: Verified<B>): boolean => {
    const last = held.get(key)?.version ?? 0;
    if (verified.version > last) {
      held.set(key, verified);
      for (const listener of listeners) listener(key, verified.value);
    }
    return verified.version < last;
  };
  await using stack = new AsyncDisposableStack();
  if (announced.includes(bucket))
    stack.use(
      await onAnnounced(at, bucket, (key, data) => {
        const verified = verifiedOrNot(at, bucket, { key, data });
        if (verified !== undefined) take(key, verified);
      }),
    );
  const watch = stack.use(
    watchBucket(at, bucket, {
      onCurrent: () => undefined,
      onValue: (key, stored) => {
        // Only a signed removal removes an entry.
        if (stored === undefined) return setRefused(key, 'deleted');
        const verified = verifiedOrNot(at, bucket, { key, data: stored.data });
        if (verified === undefined) return setRefused(key, 'forged');
        setRefused(key, take(key, verified) ? 'older' : undefined);
      },
    }),
  );
  const owned = stack.move();
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
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
