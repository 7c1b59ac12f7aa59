import type { Provisioner } from '@interlock/bus';
import { repeat, type ServiceContext } from '@interlock/shell';

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
  return repeat({ clock, log, task: 'repairing the line', waitMs: LOOK_EVERY_MS }, async () => {
    if (!provisioner.connected) return;
    const made = await provisioner.repairLine();
    if (made.length > 0) log.warn({ made }, 'the line was lost and is made again');
  });
}
