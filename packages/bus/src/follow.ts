/** Reading durable streams: the auditor in order and in batches, the executor claims by their headers. */
import {
  anchorSubject,
  type Control,
  controlSubject,
  Fault,
  parseSubject,
  type ServiceKeys,
  type Statement,
  type StreamName,
  signStatement,
} from '@interlock/contracts';
import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import type { BusClock, BusLog, ClaimNotice, StreamRecord, StreamState } from './bus.ts';
import type { Connection } from './connection.ts';
import type { Consume } from './consume.ts';
import { claimMsOf, eventHeaders } from './envelope.ts';

const BATCH_MAX = 200;
const BATCH_WAIT_MS = 1_000;
const RESTART_DELAY_MS = 500;
const ACK_TIMEOUT_MS = 3_000;
const CLAIMS_IN_HAND = 10_000;
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
export async function followStream(
  { connection, js, jsm, log }: FollowContext,
  name: keyof typeof audited,
  store: (batch: StreamRecord[]) => Promise<void>,
): Promise<AsyncDisposable> {
  const stopping = new AbortController();
  const stream = audited[name];
  const readBatch = async (): Promise<void> => {
    const { created } = await jsm.streams.info(stream);
    const consumer = await js.consumers.get(stream, name);
    const messages: JsMsg[] = [];
    for await (const message of await consumer.fetch({ max_messages: BATCH_MAX, expires: BATCH_WAIT_MS }))
      messages.push(message);
    if (messages.length === 0) return;
    try {
      await store(messages.map((message) => recordOf(stream, created, message)));
      for (const message of messages) message.ack();
    } catch (error) {
      for (const message of messages) message.nak(RESTART_DELAY_MS);
      throw error;
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted && !connection.nats.isClosed()) {
      try {
        if (connection.connected) await readBatch();
        else await pause();
      } catch (error) {
        log.warn({ err: error, stream }, 'a batch was not stored and is read again');
        await pause();
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

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS));
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

/** Hears of every claim until it says `done`. */
export function followClaims(
  consume: Consume,
  listener: (notice: ClaimNotice) => void,
): Promise<AsyncDisposable> {
  return consume('executor-claims', CLAIMS_IN_HAND, async (message) => {
    const parsed = parseSubject(message.subject);
    const claimMs = claimMsOf(message.headers);
    if (
      parsed === undefined ||
      claimMs === undefined ||
      (parsed.step !== 'started' && parsed.step !== 'restarted')
    )
      return;
    const { tenant, call } = parsed.address;
    listener({
      tenant,
      call,
      step: parsed.step,
      sequence: message.seq,
      storedAtMs: Number(message.timestampNanos / NANOSECONDS_PER_MS),
      claimMs,
      done: () => message.ack(),
      later: (delayMs) => message.nak(delayMs),
    });
  });
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
