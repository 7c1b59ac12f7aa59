import type { Provisioner } from '@interlock/bus';
import { type Repeating, repeat, type ServiceContext } from '@interlock/shell';

/** A full disk is noticed within two of these, and costs one small write each time. */
const PROBE_EVERY_MS = 2_000;
/** While nothing can be written, or NATS does not answer: calls go on as soon as this finds that it works again. */
const AGAIN_EVERY_MS = 500;

export interface StoreWatch extends AsyncDisposable {
  /** True, or what the server cannot write and what to do about it. */
  readonly ready: true | string;
  /** The streams that NATS will not write before it is started again; undefined where there are none. */
  readonly unwritable: string | undefined;
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
  let reported: string[] = [];
  const waitMs = () =>
    provisioner.connected && Object.keys(unwritable).length === 0 ? PROBE_EVERY_MS : AGAIN_EVERY_MS;
  const probing: Repeating = repeat({ clock, log, task: 'probing the store', waitMs }, async () => {
    if (!provisioner.connected) {
      // What it reported was about the server that is gone.
      reported = [];
      return;
    }
    const before = Object.keys(unwritable);
    ({ unwritable, reported } = await provisioner.probe());
    const now = Object.keys(unwritable);
    if (now.length > before.length) log.error({ unwritable }, 'NATS cannot write: see its disk and its log');
    if (now.length === 0 && before.length > 0) log.info({ before }, 'NATS writes again');
  });
  return {
    get ready() {
      const [first, ...others] = Object.entries(unwritable);
      if (first === undefined) return true;
      const more = others.length === 0 ? '' : ` and ${others.length} more`;
      return `NATS cannot write ${first[0]}${more} (${first[1]}): make room on its disk. It writes again once it is restarted; interlock up does that by itself`;
    },
    get unwritable() {
      return reported.length === 0 ? undefined : reported.join(', ');
    },
    [Symbol.asyncDispose]: () => probing[Symbol.asyncDispose](),
  };
}
