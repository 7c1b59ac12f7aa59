/**
 * Purging what the audit trail has, so that streams do not only grow.
 *
 * P1. What is purged is recorded, under a checkpoint that this process signed, and older than `limits.eventsKeptMs` by the
 *     clock of the NATS server, which dates the events too: the clock of this service does not matter.
 * P2. A call leaves the ledger only once it has ended, and its outcome is kept before (`outcomes`): an Idempotency-Key is
 *     valid for longer than the ledger holds its call. The first outcome that is kept stays. An end that cannot be read
 *     stays in the ledger, with what came after it.
 * P3. An event leaves the approvals only once the service that waits for it has handled it.
 */
import type { AuditStreams, BusLog, Ledger, Records, StreamRecord } from '@interlock/bus';
import {
  eventSchemas,
  limits,
  type OutcomeEntry,
  outcomeOfRefused,
  outcomeOfSettled,
  type PurgedStream,
  parseSubject,
  purgedStreams,
} from '@interlock/contracts';
import { type Clock, repeat } from '@interlock/shell';
import type { Anchors } from './anchors.ts';
import type { Head } from './chain.ts';
import type { RecordStore } from './mongo.ts';
import { recordId } from './record.ts';

/** Outcomes are written evenly, and not in bursts that calls would feel. */
const PURGE_EVERY_MS = 10_000;
/** Read and purged at once; more is left follows at once. */
const AT_ONCE = 2_000;
/** What waits for a checkpoint alone may wait so long; then one is signed for it. */
const CHECKPOINT_WAIT_MS = 45 * 60_000;
/** Messages read, and outcomes written, at the same time. */
const PARALLEL = 16;

export interface PurgeOptions {
  bus: AuditStreams & Pick<Ledger, 'readCall'>;
  outcomes: Pick<Records<OutcomeEntry>, 'put'>;
  store: Pick<RecordStore, 'read'>;
  log: BusLog;
  anchors: Pick<Anchors, 'anchored' | 'want'>;
  /** How long an event stays at least. */
  keptMs: number;
}

/** Purges again and again until it is disposed. */
export function startPurging(
  options: Omit<PurgeOptions, 'keptMs'> & { clock: Pick<Clock, 'sleep'> },
): AsyncDisposable {
  let isMore = false;
  const waitMs = () => (isMore ? 0 : PURGE_EVERY_MS);
  return repeat({ ...options, task: 'purging', waitMs, firstWaitMs: PURGE_EVERY_MS }, async () => {
    isMore = false;
    for (const stream of purgedStreams) {
      const purged = await purge(stream, { ...options, keptMs: limits.eventsKeptMs });
      isMore ||= purged >= AT_ONCE;
    }
  });
}

/** Purges a stream once. Returns how many sequences were removed. */
export async function purge(stream: PurgedStream, options: PurgeOptions): Promise<number> {
  const { bus, store, log, anchors, keptMs } = options;
  const head = anchors.anchored(stream);
  const { created, firstSequence, serverMs } = await bus.streamState(stream);
  if (head?.created !== created) return 0;
  const upTo = Math.min(head.sequence, firstSequence + AT_ONCE);
  // P1
  const old = await firstStoredSince(bus, { stream, from: firstSequence, upTo, before: serverMs - keptMs });
  if (await isWaiting(bus, head, serverMs - keptMs)) anchors.want(stream);
  const keepFrom =
    stream === 'LEDGER' ? await keepOutcomes(firstSequence, old, options) : await handled(old, bus);
  if (keepFrom <= firstSequence) return 0;
  // A store that has lost records may need the stream's copy of them.
  const last = await store.read(recordId({ stream, created, sequence: keepFrom - 1 }));
  if (last === null || last === undefined) return 0;
  await bus.purgeBelow(stream, keepFrom);
  log.debug({ stream, below: keepFrom }, 'purged what is recorded');
  return keepFrom - firstSequence;
}

/** True where what a checkpoint covers is long since old enough, and what follows it waits for the next one. */
async function isWaiting(bus: AuditStreams, { stream, sequence }: Head, before: number): Promise<boolean> {
  const last = await bus.readSequence(stream, sequence);
  return last !== undefined && last.storedAtMs < before - CHECKPOINT_WAIT_MS;
}

/** P3 */
async function handled(below: number, bus: AuditStreams): Promise<number> {
  return Math.min(below, (await bus.handledUpTo()) + 1);
}

/** Keeps the outcomes of the calls in a range. Returns from which sequence on the ledger keeps what it has (P2). */
async function keepOutcomes(
  from: number,
  below: number,
  { bus, outcomes, log }: PurgeOptions,
): Promise<number> {
  const events = await inParallel(range(from, below), async (sequence) => {
    const message = await bus.readSequence('LEDGER', sequence);
    return message && eventOf(message);
  });
  const open = new Map<string, LedgerEvent>();
  for (const event of events) {
    if (event === undefined) continue;
    if (event.isEnd) open.delete(event.key);
    else if (!open.has(event.key)) open.set(event.key, event);
  }
  let keepFrom = below;
  for (const { address, sequence } of open.values()) {
    const last = await bus.readCall(address.tenant, address.call);
    if (last?.step === 'started' || last?.step === 'restarted') keepFrom = Math.min(keepFrom, sequence);
  }
  const unread = events.find((event) => event?.unreadable !== undefined);
  if (unread !== undefined && unread.sequence < keepFrom) {
    keepFrom = unread.sequence;
    log.error(
      { err: unread.unreadable, sequence: keepFrom, call: unread.key },
      'purging of the ledger stops here: this end of a call does not have its shape, so its outcome cannot be kept',
    );
  }
  await inParallel(events, async (event) => {
    if (event?.outcome !== undefined && event.sequence < keepFrom)
      await outcomes.put(event.key, event.outcome, 0);
  });
  return keepFrom;
}

/** What purging needs of an event of a call, without its bytes. */
interface LedgerEvent {
  sequence: number;
  address: { tenant: string; call: string };
  key: string;
  isEnd: boolean;
  /** Absent of a claim, and of what no agent can ask for. */
  outcome?: OutcomeEntry | undefined;
  /** Why an end cannot be read. */
  unreadable?: unknown;
}

function eventOf(message: StreamRecord): LedgerEvent | undefined {
  const address = parseSubject(message.subject)?.address;
  if (address === undefined) return undefined;
  const key = `${address.tenant}.${address.call}`;
  const common = { sequence: message.sequence, address, key };
  switch (message.step) {
    case 'started':
    case 'restarted':
      return { ...common, isEnd: false };
    case 'settled':
    case 'refused':
      return { ...common, isEnd: true, ...outcomeOf(message) };
    default:
      return undefined;
  }
}

function outcomeOf({ step, data }: StreamRecord): Pick<LedgerEvent, 'outcome' | 'unreadable'> {
  try {
    const body: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
    if (step === 'settled') return { outcome: outcomeOfSettled(eventSchemas.settled.parse(body)) };
    const refused = eventSchemas.refused.parse(body);
    // A record of many requests has an id that nobody knows.
    return refused.count === undefined ? { outcome: outcomeOfRefused(refused) } : {};
  } catch (error) {
    return { unreadable: error };
  }
}

/** Returns the first sequence of a range that was stored at or after an instant; the end of the range when none was. */
async function firstStoredSince(
  bus: AuditStreams,
  { stream, from, upTo, before }: { stream: PurgedStream; from: number; upTo: number; before: number },
): Promise<number> {
  let low = from;
  let high = upTo;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const message = await bus.readSequence(stream, middle);
    if (message !== undefined && message.storedAtMs >= before) high = middle;
    else low = middle + 1;
  }
  return low;
}

function range(from: number, below: number): number[] {
  return Array.from({ length: Math.max(0, below - from) }, (_, index) => from + index);
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += PARALLEL)
    results.push(...(await Promise.all(items.slice(at, at + PARALLEL).map(work))));
  return results;
}
