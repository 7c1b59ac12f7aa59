import type { Provisioner } from '@interlock/bus';
import { repeat, type ServiceContext } from '@interlock/shell';

/** A lost line is noticed within this time, well below the ten seconds in which everything recovers. */
const CHECK_EVERY_MS = 1_000;

/**
 * Makes the line again whenever it is lost, until disposed. A second run is harmless: what exists is not changed.
 * A missing ledger is not made again: an empty ledger would hide that calls were lost.
 */
export function keepLine(
  provisioner: Provisioner,
  { log, clock }: Pick<ServiceContext<unknown>, 'log' | 'clock'>,
): AsyncDisposable {
  return repeat({ clock, log, task: 'repairing the line', waitMs: CHECK_EVERY_MS }, async () => {
    if (!provisioner.connected) return;
    const made = await provisioner.repairLine();
    if (made.length > 0)
      log.warn({ made }, 'the line was lost; made it again, without the events that were in flight');
  });
}
