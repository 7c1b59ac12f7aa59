/**
 * Checks the record of a stream: every record's hash and link, every sequence, every checkpoint, and behind the last
 * checkpoint every message against the stream itself.
 *
 * 1. Nothing is believed for standing in the store: hashes are made anew, checkpoints are verified.
 * 2. Checkpoints cannot be removed from their stream, so a tail that is cut misses them; where the last checkpoint
 *    itself is gone, the stream still says how far it reaches.
 * 3. Records are read in pages and forgotten: memory does not grow with the record.
 */
import type { AuditStreams } from '@interlock/bus';
import type { AuditedStream, AuditVerification, Statement } from '@interlock/contracts';
import { z } from 'zod';
import { faultOf, genesisOf, type Head, headAfter } from './chain.ts';
import { type ChainRecord, chainRecordSchema, MISSING, messageDigest, recordId } from './record.ts';

/** A report is read by a person. */
const PROBLEMS_MAX = 100;

export type Problem = AuditVerification['problems'][number];

export interface VerifyOptions {
  stream: AuditedStream;
  /** All stored records of the stream in the order of their ids, as they are stored. */
  records: AsyncIterable<unknown>;
  /** All checkpoints of the stream as signed, oldest first. */
  anchors: string[];
  /** Verifies a checkpoint, or throws. */
  readAnchor: (jws: string) => Statement<'anchor'>;
  /** How far the stream reaches and must be stored. */
  reach: { created: string; sequence: number };
  bus: AuditStreams;
}

export interface StreamVerification {
  checked: number;
  anchors: number;
  problems: Problem[];
}

/** Checks one stream. */
export async function verifyStream(options: VerifyOptions): Promise<StreamVerification> {
  const { stream, records, reach } = options;
  const report = new Report(stream);
  const marks = readMarks(options, report);
  let chain: Chain | undefined;
  let checked = 0;
  for await (const stored of records) {
    checked += 1;
    const place = placeOf(stored, stream);
    if (place === undefined) {
      report.add('unexpected', 0, 'Something stands in the store that is no record.');
      continue;
    }
    if (chain?.created !== place.created) {
      if (chain !== undefined) finish(chain, marks, reach, report);
      chain = { ...place, sequence: 0, before: undefined };
      marks.read.add(place.created);
    }
    chain = await checkOne(stored, place, chain, { options, marks, report });
  }
  if (chain !== undefined) finish(chain, marks, reach, report);
  for (const created of new Set([...marks.last.keys(), reach.created]))
    if (!marks.read.has(created)) finish({ created, sequence: 0, before: undefined }, marks, reach, report);
  await checkEnd(chain, marks, options, report);
  return { checked, anchors: options.anchors.length, problems: report.problems };
}

/** How far one chain was read. */
interface Chain {
  created: string;
  /** The last sequence that something stood for; 0 before the first. */
  sequence: number;
  /** What the next record must follow from; undefined where that cannot be told. */
  before: Head | undefined;
}

interface Place {
  created: string;
  sequence: number;
}

/** A record's place is where it stands, whatever it says of itself. */
function placeOf(stored: unknown, stream: AuditedStream): Place | undefined {
  const { data } = z.object({ _id: z.string() }).safeParse(stored);
  const found = /^([A-Z]+):(.+):([0-9]{16})$/.exec(data?._id ?? '');
  const [, name, created, digits] = found ?? [];
  return name === stream && created !== undefined ? { created, sequence: Number(digits) } : undefined;
}

interface Checking {
  options: VerifyOptions;
  marks: Marks;
  report: Report;
}

/** Checks what stands at one place, and returns the chain as it goes on from there. */
async function checkOne(stored: unknown, place: Place, chain: Chain, checking: Checking): Promise<Chain> {
  const { options, marks, report } = checking;
  const { created, sequence } = place;
  const gap = sequence - chain.sequence - 1;
  if (gap > 0)
    report.add(
      'missing',
      chain.sequence + 1,
      gap === 1 ? 'The record is missing.' : `${gap} records are missing.`,
    );
  const record = chainRecordSchema.safeParse(stored).data;
  if (record === undefined) {
    report.add('edited', sequence, 'The record does not have the shape of a record.');
    return { created, sequence, before: undefined };
  }
  if (record.step === MISSING)
    report.add('missing', sequence, 'The stream had lost this message before it was recorded.');
  const fault = faultOf(record, gap === 0 ? (chain.before ?? beginningOf(options.stream, place)) : undefined);
  if (fault !== undefined) report.add(fault.kind, sequence, fault.detail);
  if (fault?.kind === 'reordered') return { created, sequence, before: undefined };
  checkMark(record, marks, report);
  await compare(record, options, marks, report);
  return { created, sequence, before: headAfter(record) };
}

class Report {
  readonly problems: Problem[] = [];
  readonly #stream: AuditedStream;

  constructor(stream: AuditedStream) {
    this.#stream = stream;
  }

  add(kind: Problem['kind'], sequence: number, detail: string): void {
    if (this.problems.length < PROBLEMS_MAX)
      this.problems.push({ kind, stream: this.#stream, sequence, detail });
  }
}

/** The checkpoints that verify. */
interface Marks {
  /** By record id: the hashes that were signed. */
  hashes: Map<string, string[]>;
  /** By the stream's making: the last sequence under a checkpoint. */
  last: Map<string, number>;
  /** Chains of which something was read. */
  read: Set<string>;
}

function readMarks({ stream, anchors, readAnchor }: VerifyOptions, report: Report): Marks {
  const marks: Marks = { hashes: new Map(), last: new Map(), read: new Set() };
  for (const [index, jws] of anchors.entries()) {
    const anchor = attempt(() => readAnchor(jws));
    if (anchor === undefined || anchor.stream !== stream) {
      report.add('anchor-forged', 0, `Checkpoint ${index + 1} of the stream is not one the auditor signed.`);
      continue;
    }
    const id = recordId(anchor);
    marks.hashes.set(id, [...(marks.hashes.get(id) ?? []), anchor.hash]);
    marks.last.set(anchor.created, Math.max(anchor.sequence, marks.last.get(anchor.created) ?? 0));
  }
  return marks;
}

function beginningOf(stream: AuditedStream, { created, sequence }: Place): Head | undefined {
  return sequence === 1 ? { stream, created, sequence: 0, hash: genesisOf(stream, created) } : undefined;
}

function checkMark(record: ChainRecord, marks: Marks, report: Report): void {
  const signed = marks.hashes.get(record._id) ?? [];
  if (signed.some((hash) => hash !== record.hash))
    report.add('anchor-mismatch', record.sequence, 'The record is not the one under the signed checkpoint.');
}

/** What no checkpoint vouches for is compared with the stream, which still holds it. */
async function compare(
  record: ChainRecord,
  { stream, reach, bus }: VerifyOptions,
  marks: Marks,
  report: Report,
): Promise<void> {
  const { created, sequence, digest, step } = record;
  if (created !== reach.created || sequence > reach.sequence || sequence <= (marks.last.get(created) ?? 0))
    return;
  const message = await bus.readSequence(stream, sequence);
  if (message === undefined && step !== MISSING)
    report.add('unexpected', sequence, 'The stream holds no such message, and no checkpoint vouches for it.');
  if (message !== undefined && messageDigest(message) !== digest)
    report.add('edited', sequence, 'The record is not of the message that the stream holds.');
}

/** At the end of a chain: everything up to the last checkpoint, and of the present stream to its end, must be there. */
function finish(
  { created, sequence }: Chain,
  marks: Marks,
  reach: VerifyOptions['reach'],
  report: Report,
): void {
  const anchored = marks.last.get(created) ?? 0;
  const missing = (created === reach.created ? Math.max(anchored, reach.sequence) : anchored) - sequence;
  if (missing > 0) report.add('truncated', sequence + 1, `The last records are missing: ${missing}.`);
}

/** Neither a record nor a checkpoint may reach further than the stream. */
async function checkEnd(
  chain: Chain | undefined,
  marks: Marks,
  { stream, bus }: VerifyOptions,
  report: Report,
): Promise<void> {
  const { created, lastSequence } = await bus.streamState(stream);
  const recorded = chain?.created === created ? chain.sequence : 0;
  const furthest = Math.max(recorded, marks.last.get(created) ?? 0);
  if (furthest > lastSequence)
    report.add('unexpected', furthest, 'The record reaches further than the stream.');
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
