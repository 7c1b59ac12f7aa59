/**
 * Entries from our own copy, or else from the leader. A copy that may be behind, or that does not agree with a call, is
 * no reason to refuse the call: it may only lag, so the leader is asked first.
 */
import type { Buckets, Entries, EntryWatch } from '@interlock/bus';
import type { EntryBucket, EntryValue } from '@interlock/contracts';

/** A bucket of signed entries: a live, verified copy in memory, and the leader. */
export interface EntrySource<B extends EntryBucket> {
  copy: Pick<EntryWatch<B>, 'get' | 'current'>;
  leader: Pick<Entries<B>, 'get'>;
}

/** Watches a bucket until disposed. */
export async function openSource<B extends EntryBucket>(
  bus: Buckets,
  bucket: B,
): Promise<EntrySource<B> & { copy: EntryWatch<B> } & AsyncDisposable> {
  const leader = bus.entries(bucket);
  const copy = await leader.watch();
  return { copy, leader, [Symbol.asyncDispose]: () => copy[Symbol.asyncDispose]() };
}

/**
 * Returns an entry from the copy, if the copy is current and what it holds agrees; else what the leader holds, which
 * may not agree either. Throws `dependency_unavailable` or `entry_forged`.
 */
export async function readEntry<B extends EntryBucket>(
  { copy, leader }: EntrySource<B>,
  key: string,
  agrees: (value: EntryValue<B>) => boolean = () => true,
): Promise<EntryValue<B> | undefined> {
  const held = copy.current ? copy.get(key) : undefined;
  if (held !== undefined && agrees(held)) return held;
  return (await leader.get(key))?.value;
}
