/** Reading durable streams in batches: the auditor in order, the executor claims by their headers. */
import { setTimeout } from 'node:timers/promises';
import {
  anchorSubject,
  type Control,
  controlSubject,
  Fault,
  parseSubject,
  type Statement,
  type StreamName,
} from '@interlock/contracts';
import { type ServiceKeys, signStatement } from '@interlock/keys';
import {
  type Consumer,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import type { BusClock, BusLog, ClaimNotice, StreamRecord, StreamState } from './bus.ts';
import type { Connection } from './connection.ts';
import { claimMsOf, eventHeaders } from './envelope.ts';

const BATCH_MAX = 200;
const BATCH_WAIT_MS = 1_000;
const RESTART_DELAY_MS = 500;
const ACK_TIMEOUT_MS = 3_000;
/**
 * Notices of claims are asked for this often, and this many at once: by then nearly all of them are settled, and a
 * batch costs little more than one. An orphan is found so much later.
 */
const CLAIMS_EVERY_MS = 500;
const CLAIMS_AT_ONCE = 2_000;
const NO_MESSAGE = 10037;
const NANOSECONDS_PER_MS = 1_000_000n;
/** For this long a stream is taken for the one it was. */
const CREATED_FRESH_MS = 1_000;
const ANCHORS_AT_ONCE = 64;

/** What reading streams needs. */
export interface FollowContext {
  connection: Connection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  keys: ServiceKeys;
  clock: BusClock;
  log: BusLog;
  source: string;
}

type AuditedStream = 'LEDGER' | 'APPROVALS' | 'CONTROL';
const audited = {
  'auditor-ledger': 'LEDGER',
  'auditor-approvals': 'APPROVALS',
  'auditor-control': 'CONTROL',
} as const;

/** Reads a durable stream in order. A batch that `store` does not take is read again. */
export function followStream(
  at: FollowContext,
  name: keyof typeof audited,
  store: (batch: StreamRecord[]) => Promise<void>,
): AsyncDisposable {
  const { js, jsm } = at;
  const stream = audited[name];
  return keepReading(at, stream, async () => {
    const { created } = await jsm.streams.info(stream);
    const messages = await fetchBatch(await js.consumers.get(stream, name), BATCH_MAX);
    if (messages.length === 0) return;
    try {
      await store(messages.map((message) => recordOf(stream, created, message)));
      for (const message of messages) message.ack();
    } catch (error) {
      for (const message of messages) message.nak(RESTART_DELAY_MS);
      throw error;
    }
  });
}

/** Reads batch after batch until it is disposed of. What a batch throws is logged, and it is read again. */
function keepReading(
  { connection, log }: FollowContext,
  stream: StreamName,
  readBatch: (stopping: AbortSignal) => Promise<void>,
): AsyncDisposable {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted && !connection.nats.isClosed()) {
      try {
        if (connection.connected) await readBatch(stopping.signal);
        else await pause(RESTART_DELAY_MS, stopping.signal);
      } catch (error) {
        log.warn({ err: error, stream }, 'a batch was not taken and is read again');
        await pause(RESTART_DELAY_MS, stopping.signal);
      }
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Reads until there are that many, or for a while. All of them are there before the first is answered. */
async function fetchBatch(consumer: Consumer, max: number): Promise<JsMsg[]> {
  const messages: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: max, expires: BATCH_WAIT_MS }))
    messages.push(message);
  return messages;
}

/** Waits, or less where reading is to stop. */
async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  await setTimeout(durationMs, undefined, { signal }).catch(() => undefined);
}

function recordOf(stream: AuditedStream, created: string, message: JsMsg): StreamRecord {
  return {
    stream,
    created,
    sequence: message.seq,
    subject: message.subject,
    step: parseSubject(message.subject)?.step,
    storedAtMs: Number(message.timestampNanos / NANOSECONDS_PER_MS),
    data: message.data,
  };
}

/** Hears of every claim until it says `done`, in batches. */
export function followClaims(at: FollowContext, listener: (notice: ClaimNotice) => void): AsyncDisposable {
  return keepReading(at, 'LEDGER', async (stopping) => {
    const consumer = await at.js.consumers.get('LEDGER', 'executor-claims');
    const { num_pending: unheard, num_ack_pending: heard } = await consumer.info(true);
    // What was heard and not done comes again when its time has come, to a pull that waits for it.
    const expected = unheard > 0 ? unheard : heard;
    if (expected > 0)
      for (const message of await fetchBatch(consumer, Math.min(expected, CLAIMS_AT_ONCE))) {
        const notice = noticeOf(message);
        if (notice !== undefined) listener(notice);
      }
    await pause(CLAIMS_EVERY_MS, stopping);
  });
}

function noticeOf(message: JsMsg): ClaimNotice | undefined {
  const parsed = parseSubject(message.subject);
  const claimMs = claimMsOf(message.headers);
  if (parsed === undefined || claimMs === undefined) return undefined;
  const { step, address } = parsed;
  if (step !== 'started' && step !== 'restarted') return undefined;
  return {
    tenant: address.tenant,
    call: address.call,
    step,
    sequence: message.seq,
    storedAtMs: Number(message.timestampNanos / NANOSECONDS_PER_MS),
    claimMs,
    done: () => message.ack(),
    later: (delayMs) => message.nak(delayMs),
  };
}

/** Returns how full a stream is and which sequences it holds. */
export async function streamState({ jsm }: FollowContext, stream: StreamName): Promise<StreamState> {
  try {
    const { created, state, config } = await jsm.streams.info(stream);
    return {
      created,
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      bytes: state.bytes,
      maxBytes: config.max_bytes,
    };
  } catch (cause) {
    throw new Fault('dependency_unavailable', { detail: `The stream ${stream} cannot be read.`, cause });
  }
}

/** Reads one message by sequence. */
export async function readSequence(
  { jsm }: FollowContext,
  stream: AuditedStream,
  sequence: number,
): Promise<StreamRecord | undefined> {
  try {
    const [created, message] = await Promise.all([
      createdOf(jsm, stream),
      jsm.streams.getMessage(stream, { seq: sequence }),
    ]);
    if (message === null) return undefined;
    const step = parseSubject(message.subject)?.step;
    return {
      stream,
      created,
      sequence,
      subject: message.subject,
      step,
      storedAtMs: message.time.getTime(),
      data: message.data,
    };
  } catch (cause) {
    if (cause instanceof JetStreamApiError && cause.code === NO_MESSAGE) return undefined;
    throw new Fault('dependency_unavailable', { detail: `The stream ${stream} cannot be read.`, cause });
  }
}

const createdAt = new WeakMap<JetStreamManager, Map<AuditedStream, { created: string; readAt: number }>>();

/** A stream is made once; who reads thousands of messages need not ask for each of them. */
async function createdOf(jsm: JetStreamManager, stream: AuditedStream): Promise<string> {
  const known = createdAt.get(jsm) ?? new Map<AuditedStream, { created: string; readAt: number }>();
  createdAt.set(jsm, known);
  const last = known.get(stream);
  if (last !== undefined && performance.now() - last.readAt < CREATED_FRESH_MS) return last.created;
  const { created } = await jsm.streams.info(stream);
  known.set(stream, { created, readAt: performance.now() });
  return created;
}

/** Publishes a management act on the CONTROL stream. */
export async function publishControl({ js, clock, source }: FollowContext, act: Control): Promise<void> {
  const headers = eventHeaders(
    `io.interlock.control.${act.kind}.${act.verb}.v1`,
    `${act.name}-${act.at}`,
    source,
    clock.nowMs(),
  );
  await acknowledged(
    js.publish(controlSubject(act.kind, act.verb, act.tenant), JSON.stringify(act), {
      headers,
      timeout: ACK_TIMEOUT_MS,
    }),
  );
}

/** Signs and publishes a checkpoint. */
export async function publishAnchor(
  { js, keys, clock, source }: FollowContext,
  anchor: Statement<'anchor'>,
): Promise<void> {
  const headers = eventHeaders(
    'io.interlock.anchor.v1',
    `${anchor.stream}-${anchor.sequence}`,
    source,
    clock.nowMs(),
  );
  await acknowledged(
    js.publish(anchorSubject(anchor.stream), signStatement(anchor, keys.sign), {
      headers,
      timeout: ACK_TIMEOUT_MS,
    }),
  );
}

async function acknowledged(publishing: Promise<unknown>): Promise<void> {
  try {
    await publishing;
  } catch (cause) {
    throw new Fault('dependency_unavailable', { detail: 'The bus did not acknowledge an event.', cause });
  }
}

/** Reads all checkpoints of a stream, oldest first, as signed. */
export async function readAnchors({ jsm }: FollowContext, stream: AuditedStream): Promise<string[]> {
  const { state } = await jsm.streams.info('ANCHORS');
  const anchors: string[] = [];
  for (let first = Math.max(1, state.first_seq); first <= state.last_seq; first += ANCHORS_AT_ONCE) {
    const count = Math.min(ANCHORS_AT_ONCE, state.last_seq - first + 1);
    const sequences = Array.from({ length: count }, (_, index) => first + index);
    const messages = await Promise.all(sequences.map((seq) => jsm.streams.getMessage('ANCHORS', { seq })));
    for (const message of messages)
      if (message?.subject === anchorSubject(stream)) anchors.push(new TextDecoder().decode(message.data));
  }
  return anchors;
}
