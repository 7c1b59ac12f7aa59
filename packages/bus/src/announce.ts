/** Entries that reach their readers past the store: signed like every entry, on a plain subject (`announcedBuckets`). */
import { announceSubject, type BucketName, Fault } from '@interlock/contracts';
import { type BucketContext, withinLimit } from './bucket.ts';

/** Sends a signed entry to the readers of its bucket. Resolves when the server has it. Throws `dependency_unavailable`. */
export async function announceEntry(
  at: Pick<BucketContext, 'connection'>,
  { bucket, key, signed }: { bucket: BucketName; key: string; signed: string },
): Promise<void> {
  const { nats } = at.connection;
  await withinLimit(at, async () => {
    nats.publish(announceSubject(bucket, key), signed);
    await nats.flush();
  });
}

/** Calls back with each entry that is announced, as it was sent, from when it resolves. */
export async function onAnnounced(
  { connection: { nats } }: Pick<BucketContext, 'connection'>,
  bucket: BucketName,
  listener: (key: string, data: Uint8Array) => void,
): Promise<Disposable> {
  const prefix = announceSubject(bucket, '');
  const subscription = nats.subscribe(`${prefix}>`, {
    callback: (error, { subject, data }) => {
      if (error === null) listener(subject.slice(prefix.length), data);
    },
  });
  await nats.flush().catch((cause: unknown) => {
    throw new Fault('dependency_unavailable', { detail: 'NATS did not confirm a subscription.', cause });
  });
  return { [Symbol.dispose]: () => subscription.unsubscribe() };
}
