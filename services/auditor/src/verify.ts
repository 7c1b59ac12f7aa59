/**
 * Verifies the records of a stream: every hash and link, every sequence, every checkpoint, and after the last
 * checkpoint every record against the message in the stream itself.
 *
 * V1. Nothing counts because it is in the store: hashes are computed again, and checkpoints are verified.
 * V2. Checkpoints cannot be removed from their stream, so they show that a tail was cut. If the last of them is lost,
 *     the stream still shows how far it reaches.
 * V3. Records come in any order, page by page, and are not kept: sorting is what takes a store longest. Of records that follow
 *     each other only the ends are remembered (runs.ts), so memory grows with the gaps and not with the records.
 */
import type { AuditStreams } from '@interlock/bus';
import type { AuditedStream, AuditVerification, Statement } from '@interlock/contracts';
import { z } from 'zod';
import { faultOf, genesisOf } from './chain.ts';
import { type ChainRecord, chainRecordSchema, MISSING, messageDigest, recordId } from './record.ts';
import { Runs } from './runs.ts';

/** A person reads the report. */
const PROBLEMS_MAX = 100;

export type Problem = AuditVerification['problems'][number];

export interface CheckOptions {
  stream: AuditedStream;
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

/** Verifies one stream. Documents of other streams are left out. */
export class StreamCheck {
  readonly #options: CheckOptions;
  readonly #report: Report;
  readonly #checkpoints: Checkpoints;
  /** By the stream's creation. */
  readonly #chains = new Map<string, Runs>();
  #checked = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.#report = new Report(options.stream);
    this.#checkpoints = readCheckpoints(options, this.#report);
  }

  /** Verifies a page of documents, as they are stored. */
  async page(documents: readonly unknown[]): Promise<number> {
    const before = this.#checked;
    for (const stored of documents) {
      const { data } = idSchema.safeParse(stored);
      if (data?._id.startsWith(`${this.#options.stream}:`) === true) await this.#checkOne(stored, data._id);
    }
    return this.#checked - before;
  }

  /** Returns what was found, when every document of the store was given to `page`. */
  async finish(): Promise<StreamVerification> {
    const { anchors, reach } = this.#options;
    for (const created of new Set([...this.#chains.keys(), ...this.#checkpoints.last.keys(), reach.created]))
      this.#finishChain(created);
    await this.#checkEnd();
    const problems = this.#report.problems.toSorted((left, right) => left.sequence - right.sequence);
    return { checked: this.#checked, anchors: anchors.length, problems };
  }

  /** Verifies the document at one position: that of its id, whatever its fields say. */
  async #checkOne(stored: unknown, id: string): Promise<void> {
    this.#checked += 1;
    const report = this.#report;
    const [, created, digits] = /^[A-Z]+:(.+):([0-9]{16})$/.exec(id) ?? [];
    if (created === undefined)
      return report.add('unexpected', 0, 'The store has a document that is not a record.');
    const sequence = Number(digits);
    const runs = this.#runsOf(created);
    const record = chainRecordSchema.safeParse(stored).data;
    if (record === undefined) {
      runs.add(sequence, UNKNOWN);
      return report.add('edited', sequence, 'The document does not have the shape of a record.');
    }
    if (record.step === MISSING)
      report.add('missing', sequence, 'The stream had lost this message before it was recorded.');
    const fault = faultOf(record, undefined);
    if (fault !== undefined) report.add(fault.kind, sequence, fault.detail);
    if (fault?.kind === 'reordered') return runs.add(sequence, UNKNOWN);
    // What does not match its hash says nothing of what it followed.
    runs.add(sequence, { previous: fault === undefined ? record.previous : undefined, hash: record.hash });
    checkCheckpoint(record, this.#checkpoints, report);
    await compare(record, this.#options, this.#checkpoints, report);
  }

  #runsOf(created: string): Runs {
    const known = this.#chains.get(created);
    if (known !== undefined) return known;
    const { stream } = this.#options;
    const runs = new Runs(genesisOf(stream, created), (sequence, detail) =>
      this.#report.add('edited', sequence, detail),
    );
    this.#chains.set(created, runs);
    return runs;
  }

  /** A chain has no gap, and reaches its last checkpoint; that of the present stream reaches its end (V2). */
  #finishChain(created: string): void {
    const { reach } = this.#options;
    const runs = this.#chains.get(created);
    for (const { from, to } of runs?.gaps() ?? [])
      this.#report.add(
        'missing',
        from,
        from === to ? 'The record is missing.' : `${to - from + 1} records are missing.`,
      );
    const sequence = runs?.last() ?? 0;
    const anchored = this.#checkpoints.last.get(created) ?? 0;
    const missing = (created === reach.created ? Math.max(anchored, reach.sequence) : anchored) - sequence;
    if (missing > 0) this.#report.add('truncated', sequence + 1, `The last records are missing: ${missing}.`);
  }

  /** Neither a record nor a checkpoint may be beyond the end of the stream. */
  async #checkEnd(): Promise<void> {
    const { stream, bus } = this.#options;
    const { created, lastSequence } = await bus.streamState(stream);
    const recorded = this.#chains.get(created)?.last() ?? 0;
    const furthest = Math.max(recorded, this.#checkpoints.last.get(created) ?? 0);
    if (furthest > lastSequence)
      this.#report.add('unexpected', furthest, 'A record or a checkpoint is beyond the end of the stream.');
  }
}

const idSchema = z.object({ _id: z.string() });
const UNKNOWN = { previous: undefined, hash: undefined };

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
}

function readCheckpoints({ stream, anchors, readAnchor }: CheckOptions, report: Report): Checkpoints {
  const checkpoints: Checkpoints = { hashes: new Map(), last: new Map() };
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

function checkCheckpoint(record: ChainRecord, checkpoints: Checkpoints, report: Report): void {
  const signed = checkpoints.hashes.get(record._id) ?? [];
  if (signed.some((hash) => hash !== record.hash))
    report.add('anchor-mismatch', record.sequence, 'The record is not the one that the checkpoint signs.');
}

/** Compares a record that is under no checkpoint with the stream, which still holds its message. */
async function compare(
  record: ChainRecord,
  { stream, reach, bus }: CheckOptions,
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

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
