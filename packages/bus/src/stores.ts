/** What the provisioner says about the server's store, for the streams that this service needs. */
import { type ServiceName, storeHealthSchema, storesSubject } from '@interlock/contracts';
import type { BusContext } from './context.ts';
import { textOf } from './envelope.ts';
import { streamsOf } from './topology/accounts.ts';

/** The provisioner says it once a second; when it is silent for so long, nothing is known. */
const STALE_MS = 5_000;

/** The streams that cannot be written. */
export interface Stores {
  /** Why this service cannot store what it has to; undefined where nothing of the kind is known. */
  readonly trouble: string | undefined;
}

/** Listens to the provisioner. */
export async function watchStores(
  { connection, clock, log }: Pick<BusContext, 'connection' | 'clock' | 'log'>,
  service: ServiceName,
): Promise<Stores> {
  const needed = streamsOf(service);
  let trouble: string | undefined;
  let heardAtMs = 0;
  await connection.listen(storesSubject, ({ data }) => {
    try {
      const { unwritable } = storeHealthSchema.parse(JSON.parse(textOf(data)));
      const names = Object.keys(unwritable).filter((name) => needed.includes(name));
      trouble = names.length === 0 ? undefined : `NATS cannot write ${names.join(', ')}`;
      heardAtMs = clock.monotonicMs();
    } catch (error) {
      log.error({ err: error }, 'dropped what was said about the streams: it does not have its shape');
    }
  });
  return {
    get trouble() {
      return clock.monotonicMs() - heardAtMs > STALE_MS ? undefined : trouble;
    },
  };
}
