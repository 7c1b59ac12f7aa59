import type { Provisioner } from '@interlock/bus';
import type { ServiceContext } from '@interlock/shell';

/** How soon a lost line is noticed: well within the ten seconds in which everything recovers. */
const LOOK_EVERY_MS = 1_000;

/**
 * Looks after the line until disposed. Making it again twice is harmless: what exists is left as it is.
 * A missing ledger is not made again: its absence must be seen, not papered over.
 */
export function keepLine(
  provisioner: Provisioner,
  { log, clock }: Pick<ServiceContext<unknown>, 'log' | 'clock'>,
): AsyncDisposable {
  const stopping = new AbortController();
  const look = async (): Promise<void> => {
    if (!provisioner.connected) return;
    try {
      const made = await provisioner.repairLine();
      if (made.length > 0) log.warn({ made }, 'the line was lost and is made again');
    } catch (error) {
      log.warn({ err: error }, 'the line could not be looked at');
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await clock.sleep(LOOK_EVERY_MS, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}
