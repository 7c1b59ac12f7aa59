import type { Provisioner } from '@interlock/bus';
import { type Repeating, repeat, type ServiceContext } from '@interlock/shell';

/** A full disk is noticed within two of these, and costs one small write each time. */
const PROBE_EVERY_MS = 2_000;

export interface StoreWatch extends AsyncDisposable {
  /** True, or what the server cannot write and what to do about it. */
  readonly ready: true | string;
}

/**
 * Probes the server's store again and again, until disposed, and tells every service what it cannot write. A service is
 * not ready then, and ingress makes no call.
 */
export function watchStores(
  provisioner: Provisioner,
  { log, clock }: Pick<ServiceContext<unknown>, 'log' | 'clock'>,
): StoreWatch {
  let unwritable: Record<string, string> = {};
  const probing: Repeating = repeat(
    { clock, log, task: 'probing the store', waitMs: PROBE_EVERY_MS },
    async () => {
      if (!provisioner.connected) return;
      const before = Object.keys(unwritable);
      ({ unwritable } = await provisioner.probe());
      const now = Object.keys(unwritable);
      if (now.length > before.length)
        log.error({ unwritable }, 'NATS cannot write: see its disk and its log');
      if (now.length === 0 && before.length > 0) log.info({ before }, 'NATS writes again');
    },
  );
  return {
    get ready() {
      const [first, ...others] = Object.entries(unwritable);
      if (first === undefined) return true;
      const more = others.length === 0 ? '' : ` and ${others.length} more`;
      return `NATS cannot write ${first[0]}${more} (${first[1]}): make room on its disk; a NATS that is not restarted then stays so`;
    },
    [Symbol.asyncDispose]: () => probing[Symbol.asyncDispose](),
  };
}
