import type { AuditStreams, Buckets, BusClock } from '@interlock/bus';
import { type Control, type EntryBucket, type EntryValue, sha256 } from '@interlock/contracts';

/** What is told of an act on CONTROL. */
export type Act = Pick<Control, 'kind' | 'verb' | 'tenant' | 'name' | 'by' | 'reason'>;

/** Writes an entry, or its removal where the value is undefined, and then tells of it on CONTROL. */
export async function writeEntry<B extends EntryBucket>(
  { bus, clock }: { bus: Buckets & AuditStreams; clock: BusClock },
  entry: { bucket: B; key: string; value: EntryValue<B> | undefined },
  act: Act,
): Promise<void> {
  const entries = bus.entries(entry.bucket);
  const signed =
    entry.value === undefined ? await entries.remove(entry.key) : await entries.put(entry.key, entry.value);
  const told = entry.bucket === 'policies' ? { entry: signed } : {};
  await bus.control({ ...act, at: clock.nowMs(), entryDigest: sha256(signed), ...told });
}
