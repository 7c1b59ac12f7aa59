/**
 * Verifies the records of a stream: every hash and link, every sequence, every checkpoint, and after the last
 * checkpoint every record against the message in the stream itself.
 *
 * V1. Nothing counts because it is in the store: hashes are computed again, and checkpoints are verified.
 * V2. Checkpoints cannot be removed from their stream, so they show that a tail was cut. If the last of them is lost,
 *     the stream still shows how far it reaches.
 * V3. Records are read in pages and not kept: memory does not grow with their number.
 */
import type { AuditStreams } from '@interlock/bus';
import type { AuditedStream, AuditVerification, Statement } from '@interlock/contracts';
import { z } from 'zod';
import { faultOf, genesisOf, type Head, headAfter } from './chain.ts';
import { type ChainRecord, chainRecordSchema, MISSING, messageDigest, recordId } from './record.ts';

/** A person reads the report. */
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
  /** How far the stream reaches: as far it must be stored. */
  reach: { created: string; sequence: number };
  bus: AuditStreams;
}

export interface StreamVerification {
  checked: number;
  anchors: number;
  problems: Problem[];
}

/** Verifies one stream. */
export async function verifyStream(options: VerifyOptions): Promise<StreamVerification> {
  const { stream, records, reach } = options;
  const report = new Report(stream);
  const checkpoints = readCheckpoints(options, report);
  let chain: Chain | undefined;
  let checked = 0;
  for await (const stored of records) {
    checked += 1;
    const position = positionOf(stored, stream);
    if (position === undefined) {
      report.add('unexpected', 0, 'The store has a document that is not a record.');
      continue;
    }
    if (chain?.created !== position.created) {
      if (chain !== undefined) finish(chain, checkpoints, reach, report);
      chain = { ...position, sequence: 0, before: undefined };
      checkpoints.read.add(position.created);
    }
    chain = await checkOne(stored, position, chain, { options, checkpoints, report });
  }
  if (chain !== undefined) finish(chain, checkpoints, reach, report);
  for (const created of new Set([...checkpoints.last.keys(), reach.created]))
    if (!checkpoints.read.has(created))
      finish({ created, sequence: 0, before: undefined }, checkpoints, reach, report);
  await checkEnd(chain, checkpoints, options, report);
  return { checked, anchors: options.anchors.length, problems: report.problems };
}

/** How far one chain was read. */
interface Chain {
  created: string;
  /** The last sequence that had a document; 0 before the first. */
  sequence: number;
  /** The head that the next record must follow; undefined when that is not known. */
  before: Head | undefined;
}

interface Position {
  created: string;
  sequence: number;
}

/** The position of a record is that of its id, whatever its fields say. */
function positionOf(stored: unknown, stream: AuditedStream): Position | undefined {
  const { data } = z.object({ _id: z.string() }).safeParse(stored);
  const found = /^([A-Z]+):(.+):([0-9]{16})$/.exec(data?._id ?? '');
  const [, name, created, digits] = found ?? [];
  return name === stream && created !== undefined ? { created, sequence: Number(digits) } : undefined;
}

interface Checking {
  options: VerifyOptions;
  checkpoints: Checkpoints;
  report: Report;
}

/** Verifies the document at one position, and returns the chain as it goes on from there. */
async function checkOne(
  stored: unknown,
  position: Position,
  chain: Chain,
  checking: Checking,
): Promise<Chain> {
  const { options, checkpoints, report } = checking;
  const { created, sequence } = position;
  const gap = sequence - chain.sequence - 1;
  if (gap > 0)
    report.add(
      'missing',
      chain.sequence + 1,
      gap === 1 ? 'The record is missing.' : `${gap} records are missing.`,
    );
  const record = chainRecordSchema.safeParse(stored).data;
  if (record === undefined) {
    report.add('edited', sequence, 'The document does not have the shape of a record.');
    return { created, sequence, before: undefined };
  }
  if (record.step === MISSING)
    report.add('missing', sequence, 'The stream had lost this message before it was recorded.');
  const fault = faultOf(
    record,
    gap === 0 ? (chain.before ?? beginningOf(options.stream, position)) : undefined,
  );
  if (fault !== undefined) report.add(fault.kind, sequence, fault.detail);
  if (fault?.kind === 'reordered') return { created, sequence, before: undefined };
  checkCheckpoint(record, checkpoints, report);
  await compare(record, options, checkpoints, report);
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

/** The checkpoints whose signatures verify (V1). */
interface Checkpoints {
  /** The hashes that were signed, by record id. */
  hashes: Map<string, string[]>;
  /** The last sequence under a checkpoint, by the stream's creation. */
  last: Map<string, number>;
  /** The chains of which documents were read, by the stream's creation. */
  read: Set<string>;
}

function readCheckpoints({ stream, anchors, readAnchor }: VerifyOptions, report: Report): Checkpoints {
  const checkpoints: Checkpoints = { hashes: new Map(), last: new Map(), read: new Set() };
  for (const [index, jws] of anchors.entries()) {
    const anchor = attempt(() => readAnchor(jws));
    if (anchor === undefined || anchor.stream !== stream) {
      report.add('anchor-forged', 0, `Checkpoint ${index + 1} of the stream is not signed by the auditor.`);
      continue;
    }
    const id = recordId(anchor);
    checkpoints.hashes.set(id, [...(checkpoints.hashes.get(id) ?? []), anchor.hash]);
    checkpoints.last.set(
      anchor.created,
      Math.max(anchor.sequence, checkpoints.last.get(anchor.created) ?? 0),
    );
  }
  return checkpoints;
}

function beginningOf(stream: AuditedStream, { created, sequence }: Position): Head | undefined {
  return sequence === 1 ? { stream, created, sequence: 0, hash: genesisOf(stream, created) } : undefined;
}

function checkCheckpoint(record: ChainRecord, checkpoints: Checkpoints, report: Report): void {
  const signed = checkpoints.hashes.get(record._id) ?? [];
  if (signed.some((hash) => hash !== record.hash))
    report.add('anchor-mismatch', record.sequence, 'The record is not the one that the checkpoint signs.');
}

/** Compares a record that is under no checkpoint with the stream, which still holds its message. */
async function compare(
  record: ChainRecord,
  { stream, reach, bus }: VerifyOptions,
  checkpoints: Checkpoints,
  report: Report,
): Promise<void> {
  const { created, sequence, digest, step } = record;
  if (
    created !== reach.created ||
    sequence > reach.sequence ||
    sequence <= (checkpoints.last.get(created) ?? 0)
  )
    return;
  const message = await bus.readSequence(stream, sequence);
  if (message === undefined && step !== MISSING)
    report.add(
      'unexpected',
      sequence,
      'The stream holds no such message, and the record is under no checkpoint.',
    );
  if (message !== undefined && messageDigest(message) !== digest)
    report.add('edited', sequence, 'The record is not the one of the message that the stream holds.');
}

/** A chain must reach its last checkpoint, and the chain of the present stream also the end of the stream (V2). */
function finish(
  { created, sequence }: Chain,
  checkpoints: Checkpoints,
  reach: VerifyOptions['reach'],
  report: Report,
): void {
  const anchored = checkpoints.last.get(created) ?? 0;
  const missing = (created === reach.created ? Math.max(anchored, reach.sequence) : anchored) - sequence;
  if (missing > 0) report.add('truncated', sequence + 1, `The last records are missing: ${missing}.`);
}

/** Neither a record nor a checkpoint may be beyond the end of the stream. */
async function checkEnd(
  chain: Chain | undefined,
  checkpoints: Checkpoints,
  { stream, bus }: VerifyOptions,
  report: Report,
): Promise<void> {
  const { created, lastSequence } = await bus.streamState(stream);
  const recorded = chain?.created === created ? chain.sequence : 0;
  const furthest = Math.max(recorded, checkpoints.last.get(created) ?? 0);
  if (furthest > lastSequence)
    report.add('unexpected', furthest, 'A record or a checkpoint is beyond the end of the stream.');
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
