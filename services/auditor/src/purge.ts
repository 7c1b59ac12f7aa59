/** Purges the ledger of messages that are recorded, under a checkpoint, and older than an Idempotency-Key reaches. */
import type { AuditStreams, BusLog } from '@interlock/bus';
import { limits } from '@interlock/contracts';
import { type Clock, repeat } from '@interlock/shell';
import type { Head } from './chain.ts';
import type { RecordStore } from './mongo.ts';
import { recordId } from './record.ts';

const PURGE_EVERY_MS = 3_600_000;
/** Clocks of servers differ, and a call may start at the last instant of the window and run for its full time. */
const MARGIN_MS = 3_600_000;

export interface PurgeOptions {
  bus: AuditStreams;
  store: Pick<RecordStore, 'read'>;
  clock: Pick<Clock, 'nowMs' | 'sleep'>;
  log: BusLog;
  anchored: () => Head | undefined;
}

/** Purges every hour until it is disposed. */
export function startPurging(options: PurgeOptions): AsyncDisposable {
  return repeat(
    { ...options, task: 'purging the ledger', waitMs: PURGE_EVERY_MS, firstWaitMs: PURGE_EVERY_MS },
    () => purge(options),
  );
}

/** Purges the ledger once. Returns the sequence below which everything was removed, or undefined when nothing was. */
export async function purge({ bus, store, clock, log, anchored }: PurgeOptions): Promise<number | undefined> {
  const head = anchored();
  if (head === undefined) return undefined;
  const { created, firstSequence } = await bus.streamState('LEDGER');
  if (head.created !== created) return undefined;
  const before = clock.nowMs() - limits.idempotencyWindowMs - MARGIN_MS;
  const keepFrom = await firstStoredSince(bus, { from: firstSequence, upTo: head.sequence, before });
  if (keepFrom <= firstSequence) return undefined;
  // A store that has lost records may need the ledger's copy of them.
  const last = await store.read(recordId({ stream: 'LEDGER', created, sequence: keepFrom - 1 }));
  if (last === null || last === undefined) return undefined;
  await bus.purgeLedgerBelow(keepFrom);
  log.info({ below: keepFrom }, 'the ledger was purged');
  return keepFrom;
}

/** Returns the first sequence of a range that was stored at or after an instant; the end of the range when none was. */
async function firstStoredSince(
  bus: AuditStreams,
  { from, upTo, before }: { from: number; upTo: number; before: number },
): Promise<number> {
  let low = from;
  let high = upTo;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const message = await bus.readSequence('LEDGER', middle);
    if (message !== undefined && message.storedAtMs >= before) high = middle;
    else low = middle + 1;
  }
  return low;
}
