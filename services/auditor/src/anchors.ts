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

export interface AnchorsOptions {
  bus: AuditStreams;
  clock: Pick<Clock, 'nowMs' | 'sleep'>;
  log: BusLog;
  onSigned: (stream: AuditedStream) => void;
}

export interface Anchors extends AsyncDisposable {
  /** Takes note of how far a chain is stored. */
  note(head: Head): void;
  /** Returns how far a stream is under a checkpoint that this process signed. */
  anchored(stream: AuditedStream): Head | undefined;
}

/** Starts signing checkpoints. Disposing it signs the last ones. */
export function startAnchors(options: AnchorsOptions): Anchors {
  const heads = new Map<AuditedStream, Head>();
  const anchored = new Map<AuditedStream, Head>();

  async function signAll(): Promise<void> {
    for (const [stream, head] of heads) {
      const last = anchored.get(stream);
      if (last?.created === head.created && last.sequence >= head.sequence) continue;
      if (await sign(head, options)) anchored.set(stream, head);
    }
  }

  const signing = repeat(
    { ...options, task: 'signing checkpoints', waitMs: ANCHOR_MS, firstWaitMs: ANCHOR_MS },
    signAll,
  );
  return {
    note(head) {
      heads.set(head.stream, head);
      const last = anchored.get(head.stream);
      if (head.sequence - (last?.created === head.created ? last.sequence : 0) >= ANCHOR_RECORDS)
        signing.wake();
    },
    anchored: (stream) => anchored.get(stream),
    async [Symbol.asyncDispose]() {
      await signing[Symbol.asyncDispose]();
      await signAll();
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
