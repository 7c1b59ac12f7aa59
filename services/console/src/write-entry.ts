import type { AuditStreams, Buckets, BusClock } from '@interlock/bus';
import { type Control, type EntryBucket, type EntryValue, sha256 } from '@interlock/contracts';

/** A management operation, as CONTROL records it. */
export type Operation = Pick<Control, 'kind' | 'verb' | 'tenant' | 'name' | 'by' | 'reason'>;

/** Writes an entry, or its removal where the value is undefined, and then records the operation on CONTROL. */
export async function writeEntry<B extends EntryBucket>(
  { bus, clock }: { bus: Buckets & AuditStreams; clock: BusClock },
  entry: { bucket: B; key: string; value: EntryValue<B> | undefined },
  operation: Operation,
): Promise<void> {
  const entries = bus.entries(entry.bucket);
  const signed =
    entry.value === undefined ? await entries.remove(entry.key) : await entries.put(entry.key, entry.value);
  const attached = entry.bucket === 'policies' ? { entry: signed } : {};
  await bus.control({ ...operation, at: clock.nowMs(), entryDigest: sha256(signed), ...attached });
}
