/**
 * Writes one stream into the store, in the order of its sequences and without a gap.
 *
 * R1. The head moves only when everything up to it is stored.
 * R2. Nothing below the head is written again, so that `verify` still finds what was removed from the store.
 * R3. A second run is harmless: a message makes the same record each time, and an id is taken once.
 */
import type { AuditStreams, BusLog, StreamRecord } from '@interlock/bus';
import type { AuditedStream, Statement } from '@interlock/contracts';
import { Queue } from '@interlock/shell';
import { genesisOf, type Head, headAfter, link } from './chain.ts';
import type { Open } from './evidence.ts';
import type { RecordStore } from './mongo.ts';
import { chainRecordSchema, missingOf, recordOf, stubOf, type Unlinked } from './record.ts';

/** Records of one insert, and the bytes of their messages: well below what an insert may hold. */
const WRITE_RECORDS = 256;
const WRITE_BYTES = 8 * 1_048_576;

export interface RecorderOptions {
  stream: AuditedStream;
  store: Pick<RecordStore, 'insert' | 'last'>;
  bus: AuditStreams;
  /** Returns the newest checkpoint of the stream. */
  lastAnchor: () => Promise<Statement<'anchor'> | undefined>;
  open: Open;
  clock: { nowMs(): number };
  log: BusLog;
  /** Called with each new head once it is stored. */
  onStored: (head: Head, records: number) => void;
}

export interface Recorder {
  /** Stores a batch, without what is stored already. Throws when it is not known whether it is stored. */
  store(batch: StreamRecord[]): Promise<void>;
  /** Stores what the stream holds up to its last sequence at this moment. Returns the head then. */
  catchUp(): Promise<Head>;
}

/** Makes the recorder of a stream. */
export function createRecorder(options: RecorderOptions): Recorder {
  let head: Head | undefined;
  let certain = false;
  const queue = new Queue();

  async function write(messages: Message[]): Promise<void> {
    const first = messages[0];
    if (first === undefined) return;
    const before = await headOf(first.created);
    certain = false;
    head = await writeBehind(before, messages, options);
    certain = true;
    options.onStored(head, messages.length);
  }

  /** After a failure the store is asked how far it got (R1). The head never moves back (R2). */
  async function headOf(created: string): Promise<Head> {
    if (head?.created === created && certain) return head;
    const stored = await loadHead(options, created);
    if (head?.created !== created || head.sequence < stored.sequence) head = stored;
    certain = true;
    return head;
  }

  async function fill(created: string, upTo: number): Promise<void> {
    const { firstSequence } = await options.bus.streamState(options.stream);
    for (let { sequence } = await headOf(created); sequence < upTo; ) {
      const page = await readPage(options, { created, from: sequence + 1, upTo, firstSequence });
      await write(page);
      sequence += page.length;
    }
  }

  async function record(batch: StreamRecord[]): Promise<void> {
    for (const page of pagesOf(batch)) {
      let ready: StreamRecord[] = [];
      for (const message of page) {
        const reached = ready.at(-1) ?? (await headOf(message.created));
        if (message.created === reached.created && message.sequence <= reached.sequence) continue;
        if (message.created !== reached.created || message.sequence > reached.sequence + 1) {
          await write(ready);
          ready = [];
          await fill(message.created, message.sequence - 1);
        }
        ready.push(message);
      }
      await write(ready);
    }
  }

  return {
    store: (batch) =>
      queue.run(() => record(batch.toSorted((left, right) => left.sequence - right.sequence))),
    catchUp: () =>
      queue.run(async () => {
        const { created, firstSequence, lastSequence } = await options.bus.streamState(options.stream);
        const head = await headOf(created);
        const range = { from: Math.max(head.sequence + 1, firstSequence), upTo: lastSequence };
        await fill(created, (await lastPresent(options, range)) ?? head.sequence);
        return await headOf(created);
      }),
  };
}

/**
 * Returns the last sequence of a range that the stream holds; undefined where it holds none. A server that could not write
 * counts a message that it did not store, and gives its sequence to another one after it was started again: what is absent
 * at the end of a stream is recorded as missing only when a later message shows that it was lost.
 */
async function lastPresent(
  { stream, bus }: Pick<RecorderOptions, 'stream' | 'bus'>,
  { from, upTo }: { from: number; upTo: number },
): Promise<number | undefined> {
  for (let sequence = upTo; sequence >= from; sequence -= 1)
    if ((await bus.readSequence(stream, sequence)) !== undefined) return sequence;
  return undefined;
}

/** A message, or the position of one that the stream no longer holds. */
type Message = StreamRecord | { stream: AuditedStream; created: string; sequence: number; data?: undefined };

async function writeBehind(before: Head, messages: Message[], options: RecorderOptions): Promise<Head> {
  const { store, open, clock, log } = options;
  const unlinked = messages.map(
    (message): Unlinked =>
      message.data === undefined ? missingOf(message, clock.nowMs()) : recordOf(message, open),
  );
  let records = link(before, unlinked);
  for (let from = 0; from < records.length; ) {
    const { refusedAt, conflicts } = await store.insert(records.slice(from));
    for (const id of conflicts)
      log.error(
        { record: id },
        'the store has another record under this id: it was altered, run interlock audit verify',
      );
    if (refusedAt === undefined) break;
    from += refusedAt;
    const message = messages[from];
    if (message?.data === undefined) throw new TypeError('The store refused a record without content.');
    const stub = stubOf(message, 'The store does not take the record.');
    if (unlinked[from]?.event === stub.event) throw new TypeError('The store refused a stub.');
    unlinked[from] = stub;
    records = link(before, unlinked);
  }
  return headAfter(records.at(-1) ?? before);
}

/** The head is the last stored record. When a checkpoint is beyond it, the chain goes on after the checkpoint (R2). */
async function loadHead(options: RecorderOptions, created: string): Promise<Head> {
  const { stream, store, bus, lastAnchor, log, onStored } = options;
  const stored = chainRecordSchema.safeParse(await store.last(stream, created)).data;
  const anchor = await lastAnchor();
  const anchored = anchor?.created === created ? anchor : undefined;
  if (anchored !== undefined && anchored.sequence > (stored?.sequence ?? 0)) {
    log.error(
      { stream, sequence: anchored.sequence },
      'the store has lost records that were stored: run interlock audit verify',
    );
    return { stream, created, sequence: anchored.sequence, hash: anchored.hash };
  }
  if (stored !== undefined) {
    // Records that were stored just before a restart may be under no checkpoint yet.
    onStored(headAfter(stored), 0);
    return headAfter(stored);
  }
  const { firstSequence, lastSequence } = await bus.streamState(stream);
  // An empty stream proves nothing about what it held: `lastPresent`.
  const before = firstSequence > lastSequence ? 0 : Math.max(0, firstSequence - 1);
  return { stream, created, sequence: before, hash: genesisOf(stream, created) };
}

interface Range {
  created: string;
  from: number;
  upTo: number;
  firstSequence: number;
}

async function readPage(
  { stream, bus }: RecorderOptions,
  { created, from, upTo, firstSequence }: Range,
): Promise<Message[]> {
  const page: Message[] = [];
  let bytes = 0;
  for (
    let sequence = from;
    sequence <= upTo && page.length < WRITE_RECORDS && bytes < WRITE_BYTES;
    sequence += 1
  ) {
    const message = sequence < firstSequence ? undefined : await bus.readSequence(stream, sequence);
    bytes += message?.data.length ?? 0;
    page.push(message?.created === created ? message : { stream, created, sequence });
  }
  return page;
}

function* pagesOf(batch: StreamRecord[]): Generator<StreamRecord[]> {
  let page: StreamRecord[] = [];
  let bytes = 0;
  for (const message of batch) {
    if (page.length >= WRITE_RECORDS || bytes >= WRITE_BYTES) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(message);
    bytes += message.data.length;
  }
  yield page;
}
