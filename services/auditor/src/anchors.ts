/** Signed checkpoints of each chain, on a stream from which nothing can be removed. */
import type { AuditStreams, BusLog } from '@interlock/bus';
import type { AuditedStream, Statement } from '@interlock/contracts';
import { type Keyring, verifyStatement } from '@interlock/keys';
import { type Clock, repeat } from '@interlock/shell';
import { z } from 'zod';
import type { Head } from './chain.ts';

/** A checkpoint is signed after so many records, or so long after a record that is under none. */
const ANCHOR_RECORDS = 100;
const ANCHOR_MS = 2_000;
/**
 * Both grow with the stream of checkpoints, from which nothing is removed: they double this often until it is full. Half
 * full, after months of fifty calls a second, a checkpoint stands for a quarter of an hour.
 */
const DOUBLINGS = 18;

export interface AnchorsOptions {
  bus: AuditStreams;
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  log: BusLog;
  onSigned: (stream: AuditedStream) => void;
}

export interface Anchors extends AsyncDisposable {
  /** Takes note of how far a chain is stored. */
  note(head: Head): void;
  /** Returns how far a stream is under a checkpoint that this process signed. */
  anchored(stream: AuditedStream): Head | undefined;
  /** Has a checkpoint signed now, for what is waiting for one. */
  want(stream: AuditedStream): void;
}

/** Returns how many times more records, and more time, a checkpoint stands for. */
export function strideOf({ bytes, maxBytes }: { bytes: number; maxBytes: number }): number {
  return 2 ** ((DOUBLINGS * bytes) / maxBytes);
}

/** Starts signing checkpoints. Disposing it signs the last ones. */
export function startAnchors(options: AnchorsOptions): Anchors {
  const { bus, clock } = options;
  const heads = new Map<AuditedStream, Head>();
  const anchored = new Map<AuditedStream, { head: Head; atMs: number }>();
  const wanted = new Set<AuditedStream>();
  let stride = 1;

  /** How many records of a chain are under no checkpoint of this process. */
  const uncovered = ({ stream, created, sequence }: Head): number => {
    const last = anchored.get(stream)?.head;
    return sequence - (last?.created === created ? last.sequence : 0);
  };

  const isDue = (head: Head): boolean => {
    const last = anchored.get(head.stream);
    if (wanted.has(head.stream) || last?.head.created !== head.created) return true;
    // Half a round earlier rather than a whole round later.
    const waitedMs = clock.monotonicMs() - last.atMs + ANCHOR_MS / 2;
    return uncovered(head) >= Math.floor(ANCHOR_RECORDS * stride) || waitedMs >= ANCHOR_MS * stride;
  };

  async function signThose(which: (head: Head) => boolean): Promise<void> {
    for (const head of heads.values()) {
      if (uncovered(head) <= 0 || !which(head)) continue;
      // Whoever wants one from here on wants one of a later head.
      const isWanted = wanted.delete(head.stream);
      if (!(await sign(head, options))) {
        if (isWanted) wanted.add(head.stream);
        continue;
      }
      anchored.set(head.stream, { head, atMs: clock.monotonicMs() });
      stride = await bus.streamState('ANCHORS').then(strideOf, () => stride);
    }
  }

  const signing = repeat(
    { ...options, task: 'signing checkpoints', waitMs: ANCHOR_MS, firstWaitMs: ANCHOR_MS },
    () => signThose(isDue),
  );
  return {
    note(head) {
      heads.set(head.stream, head);
      if (uncovered(head) >= Math.floor(ANCHOR_RECORDS * stride)) signing.wake();
    },
    anchored: (stream) => anchored.get(stream)?.head,
    want(stream) {
      wanted.add(stream);
      signing.wake();
    },
    async [Symbol.asyncDispose]() {
      await signing[Symbol.asyncDispose]();
      await signThose(() => true);
    },
  };
}

/** A checkpoint that is not acknowledged is signed again: two for one sequence say the same. */
async function sign(head: Head, { bus, clock, log, onSigned }: AnchorsOptions): Promise<boolean> {
  try {
    await bus.anchor({ type: 'anchor', ...head, issuedAt: clock.nowMs() });
    onSigned(head.stream);
    return true;
  } catch (error) {
    log.warn({ err: error, stream: head.stream }, 'a checkpoint was not stored and is signed again');
    return false;
  }
}

/**
 * Verifies a checkpoint against the keys that the operator certifies. A key that has expired still counts for what it
 * signed before. Throws `statement_invalid`.
 */
export function readAnchor(jws: string, keyring: Keyring, nowMs: number): Statement<'anchor'> {
  const [, body = ''] = jws.split('.');
  return verifyStatement(jws, 'anchor', keyring, Math.min(nowMs, issuedAtOf(body) ?? nowMs));
}

const issuedSchema = z.object({ issuedAt: z.int() });

function issuedAtOf(body: string): number | undefined {
  try {
    return issuedSchema.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))).data?.issuedAt;
  } catch {
    return undefined;
  }
}
