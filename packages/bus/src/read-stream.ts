import {
  type AuditedStream,
  approvalHandlers,
  auditConsumers,
  Fault,
  type PurgedStream,
  parseSubject,
  type Step,
  type StreamName,
} from '@interlock/contracts';
import type { JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { fetchBatch, RETRY_DELAY_MS, readBatches, storedAtMsOf } from './batches.ts';
import { assertUsable } from './connection.ts';
import type { BusContext } from './context.ts';
import { isMessageAbsent } from './server-errors.ts';
import { serverMsOf } from './server-time.ts';

const BATCH_MAX = 200;
/** For this long the instant at which a stream was made is not read again. */
const CREATED_FRESH_MS = 1_000;

/** A message of a durable stream as the auditor reads it. */
export interface StreamRecord {
  stream: AuditedStream;
  /** When the stream was made, RFC 3339. */
  created: string;
  sequence: number;
  subject: string;
  /** Undefined when the subject is not one of the lifecycle's. */
  step: Step | undefined;
  /** When the server stored it, milliseconds since the epoch. */
  storedAtMs: number;
  data: Uint8Array;
}

export interface StreamState {
  created: string;
  /** What the server's clock said, milliseconds since the epoch: messages carry the time of that clock. */
  serverMs: number;
  firstSequence: number;
  lastSequence: number;
  bytes: number;
  maxBytes: number;
}

/** Reads a durable stream in order. A batch is acknowledged when `store` returns, and read again when it throws. */
export function followStream(
  at: BusContext,
  stream: AuditedStream,
  store: (batch: StreamRecord[]) => Promise<void>,
): AsyncDisposable {
  const turn = async () => {
    const { created } = await at.jsm.streams.info(stream);
    const consumer = await at.js.consumers.get(stream, auditConsumers[stream]);
    const messages = await fetchBatch(consumer, BATCH_MAX);
    if (messages.length === 0) return;
    try {
      await store(messages.map((message) => recordOf(stream, created, message)));
      for (const message of messages) message.ack();
    } catch (error) {
      for (const message of messages) message.nak(RETRY_DELAY_MS);
      throw error;
    }
  };
  return readBatches(at, stream, { turn, restMs: 0 });
}

function recordOf(stream: AuditedStream, created: string, message: JsMsg): StreamRecord {
  const { seq: sequence, subject, data } = message;
  const step = parseSubject(subject)?.step;
  return { stream, created, sequence, subject, step, storedAtMs: storedAtMsOf(message), data };
}

/** Returns how full a stream is and which sequences it holds. Throws `dependency_unavailable`. */
export async function streamState(
  { connection, jsm }: Pick<BusContext, 'connection' | 'jsm'>,
  stream: StreamName,
): Promise<StreamState> {
  assertUsable(connection, `The stream ${stream} cannot be read.`);
  try {
    const info = await jsm.streams.info(stream);
    const { created, state, config } = info;
    return {
      created,
      serverMs: serverMsOf(info),
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      bytes: state.bytes,
      maxBytes: config.max_bytes,
    };
  } catch (cause) {
    throw new Fault('dependency_unavailable', { detail: `The stream ${stream} cannot be read.`, cause });
  }
}

/** Reads one message by sequence; undefined when the stream holds it no longer. Throws `dependency_unavailable`. */
export async function readSequence(
  { connection, jsm }: Pick<BusContext, 'connection' | 'jsm'>,
  stream: AuditedStream,
  sequence: number,
): Promise<StreamRecord | undefined> {
  assertUsable(connection, `The stream ${stream} cannot be read.`);
  try {
    const [created, message] = await Promise.all([
      createdOf(jsm, stream),
      jsm.streams.getMessage(stream, { seq: sequence }),
    ]);
    if (message === null) return undefined;
    const { subject, data, time } = message;
    const step = parseSubject(subject)?.step;
    return { stream, created, sequence, subject, step, storedAtMs: time.getTime(), data };
  } catch (cause) {
    if (isMessageAbsent(cause)) return undefined;
    throw new Fault('dependency_unavailable', { detail: `The stream ${stream} cannot be read.`, cause });
  }
}

/** Removes every message of a stream below a sequence. Throws `dependency_unavailable`. */
export async function purgeBelow(
  { connection, jsm }: Pick<BusContext, 'connection' | 'jsm'>,
  stream: PurgedStream,
  sequence: number,
): Promise<void> {
  assertUsable(connection, `The stream ${stream} was not purged.`);
  try {
    await jsm.streams.purge(stream, { seq: sequence });
  } catch (cause) {
    throw new Fault('dependency_unavailable', { detail: `The stream ${stream} could not be purged.`, cause });
  }
}

/**
 * Returns up to which sequence everything of the approvals was handled by the services that wait for it. Throws
 * `dependency_unavailable`.
 */
export async function handledUpTo({
  connection,
  jsm,
}: Pick<BusContext, 'connection' | 'jsm'>): Promise<number> {
  assertUsable(connection, 'The consumers of APPROVALS cannot be read.');
  try {
    const infos = await Promise.all(approvalHandlers.map((name) => jsm.consumers.info('APPROVALS', name)));
    return Math.min(
      ...infos.map(({ num_pending, num_ack_pending, ack_floor }) =>
        num_pending + num_ack_pending === 0 ? Number.MAX_SAFE_INTEGER : ack_floor.stream_seq,
      ),
    );
  } catch (cause) {
    throw new Fault('dependency_unavailable', {
      detail: 'The consumers of APPROVALS cannot be read.',
      cause,
    });
  }
}

const createdAt = new WeakMap<JetStreamManager, Map<AuditedStream, { created: string; readAt: number }>>();

/** Returns when a stream was made: who reads thousands of messages need not ask for each of them. */
async function createdOf(jsm: JetStreamManager, stream: AuditedStream): Promise<string> {
  const known = createdAt.get(jsm) ?? new Map<AuditedStream, { created: string; readAt: number }>();
  createdAt.set(jsm, known);
  const last = known.get(stream);
  if (last !== undefined && performance.now() - last.readAt < CREATED_FRESH_MS) return last.created;
  const { created } = await jsm.streams.info(stream);
  known.set(stream, { created, readAt: performance.now() });
  return created;
}
