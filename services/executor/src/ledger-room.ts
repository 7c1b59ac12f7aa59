import type { Bus } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import type { Clock } from '@interlock/shell';

/** Above this nothing new starts, so that what has started can always settle. */
const FULL_RATIO = 0.8;
const POLL_MS = 1_000;
/** After so long without an answer the last one says nothing any more. */
const STALE_MS = 10_000;

/** Whether the ledger has room for new calls. */
export interface LedgerRoom extends AsyncDisposable {
  /** Returns why nothing new may start: `ledger_full`, or `dependency_unavailable` where that is not known. */
  blockedBy(): Fault | undefined;
}

/** Asks once a second how full the ledger is. Throws what the first asking throws. */
export async function watchLedgerRoom(bus: Pick<Bus, 'streamState'>, clock: Clock): Promise<LedgerRoom> {
  const closing = new AbortController();
  let full = await isFull(bus);
  let askedAtMs = clock.monotonicMs();
  const poll = async () => {
    while (!closing.signal.aborted) {
      await clock.sleep(POLL_MS, closing.signal);
      const answer = await isFull(bus).catch(() => undefined);
      if (answer === undefined) continue;
      full = answer;
      askedAtMs = clock.monotonicMs();
    }
  };
  // Sleeping ends with an abort, and nothing else here throws.
  const polling = poll().catch(() => {});
  return {
    blockedBy: () => {
      if (clock.monotonicMs() - askedAtMs > STALE_MS)
        return new Fault('dependency_unavailable', { detail: 'It is not known whether the ledger is full.' });
      return full ? new Fault('ledger_full') : undefined;
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await polling;
    },
  };
}

async function isFull(bus: Pick<Bus, 'streamState'>): Promise<boolean> {
  const { bytes, maxBytes } = await bus.streamState('LEDGER');
  return maxBytes > 0 && bytes > FULL_RATIO * maxBytes;
}
