import type { AuditStreams } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import { type Clock, type RepeatLog, repeat } from '@interlock/shell';

/** Above this nothing new starts, so that what has started can always settle. */
const FULL_RATIO = 0.8;
const POLL_MS = 1_000;
/** A reading that is older counts as unknown. */
const STALE_MS = 10_000;

/** Whether the ledger has room for new calls. */
export interface LedgerRoom extends AsyncDisposable {
  /** Returns why nothing new may start: `ledger_full`, or `dependency_unavailable` where that is not known. */
  blockedBy(): Fault | undefined;
}

/** Asks once a second how full the ledger is. Throws what the first asking throws. */
export async function watchLedgerRoom(
  bus: AuditStreams,
  { clock, log }: { clock: Clock; log: RepeatLog },
): Promise<LedgerRoom> {
  let full = await isFull(bus);
  let askedAtMs = clock.monotonicMs();
  const polling = repeat(
    { clock, log, task: 'asking how full the ledger is', waitMs: POLL_MS, firstWaitMs: POLL_MS },
    async () => {
      full = await isFull(bus);
      askedAtMs = clock.monotonicMs();
    },
  );
  return {
    blockedBy: () => {
      if (clock.monotonicMs() - askedAtMs > STALE_MS)
        return new Fault('dependency_unavailable', { detail: 'It is not known whether the ledger is full.' });
      return full ? new Fault('ledger_full') : undefined;
    },
    [Symbol.asyncDispose]: () => polling[Symbol.asyncDispose](),
  };
}

async function isFull(bus: AuditStreams): Promise<boolean> {
  const { bytes, maxBytes } = await bus.streamState('LEDGER');
  return maxBytes > 0 && bytes > FULL_RATIO * maxBytes;
}
