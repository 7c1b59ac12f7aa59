/** Reads and changes the streams from the account that holds them, past the bus: what a test may, and no service. */
import {
  type BucketName,
  type CallAddress,
  lifecycle,
  parseSubject,
  type Step,
  stepSubject,
  streamPattern,
} from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { JetStreamApiCodes, JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, nkeyAuthenticator } from '@nats-io/transport-node';

const API_TIMEOUT_MS = 2_000;
const RECONNECT_WAIT_MS = 250;
const OBSERVED = ['LINE', 'LEDGER', 'APPROVALS'] as const;
const ABSENT: readonly number[] = [JetStreamApiCodes.NoMessageFound, JetStreamApiCodes.StreamNotFound];

/** An event of a call as it was published; it may or may not have been stored. */
export interface Sighting {
  step: Step;
  address: CallAddress;
  /** The event's body, as text. */
  text: string;
}

export interface StreamSize {
  bytes: number;
  maxBytes: number;
}

export interface Observer extends AsyncDisposable {
  /** Calls back with every event of every call that is published after this resolves. */
  onPublished(listener: (sighting: Sighting) => void): Promise<void>;
  /** True when a stream holds the event of a call's step. Throws when the server does not answer. */
  holds(step: Step, call: CallAddress): Promise<boolean>;
  /** Returns the text stored under a key of a bucket. */
  textAt(bucket: BucketName, key: string): Promise<string | undefined>;
  /** Puts any text under a key, or deletes the key: what a thief of the writer's bus key could do. */
  putText(bucket: BucketName, key: string, text: string | undefined): Promise<void>;
  /** Returns how many bytes each stream holds and may hold, by name; a bucket is named `KV_<name>`. */
  sizes(): Promise<Map<string, StreamSize>>;
  /** Deletes the line with everything in flight. */
  loseLine(): Promise<void>;
  /** True when the server has the line, with or without its consumers. */
  hasLine(): Promise<boolean>;
}

/** Connects with the provisioner's seed: only it may join the account of the streams. */
export async function connectObserver({ url, seed }: { url: string; seed: Secret }): Promise<Observer> {
  const nats = await connect({
    servers: url,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed.reveal())),
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  });
  const jsm = await jetstreamManager(nats, { timeout: API_TIMEOUT_MS, checkAPI: false });
  return {
    onPublished: async (listener) => {
      for (const stream of OBSERVED)
        nats.subscribe(streamPattern(stream), {
          callback: (_error, message) => {
            const parsed = parseSubject(message.subject);
            if (parsed !== undefined) listener({ ...parsed, text: message.string() });
          },
        });
      await nats.flush();
    },
    holds: async (step, call) => {
      const { stream } = lifecycle[step];
      const filter = { last_by_subj: stepSubject(step, call) };
      return ((await presentOr(() => jsm.streams.getMessage(stream, filter))) ?? null) !== null;
    },
    textAt: async (bucket, key) => {
      const filter = { last_by_subj: `$KV.${bucket}.${key}` };
      return (await presentOr(() => jsm.streams.getMessage(`KV_${bucket}`, filter)))?.string();
    },
    putText: async (bucket, key, text) => {
      const fields = headers();
      if (text === undefined) fields.set('KV-Operation', 'DEL');
      await jetstream(nats).publish(`$KV.${bucket}.${key}`, text ?? '', { headers: fields });
    },
    sizes: async () => {
      const sizes = new Map<string, StreamSize>();
      for await (const { config, state } of jsm.streams.list())
        sizes.set(config.name, { bytes: state.bytes, maxBytes: config.max_bytes });
      return sizes;
    },
    loseLine: async () => void (await jsm.streams.delete('LINE')),
    hasLine: async () => (await presentOr(() => jsm.streams.info('LINE'))) !== undefined,
    [Symbol.asyncDispose]: async () => {
      if (!nats.isClosed()) await nats.close();
    },
  };
}

/** Returns undefined where the server answers that it has no such message or stream. */
async function presentOr<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof JetStreamApiError && ABSENT.includes(error.code)) return undefined;
    throw error;
  }
}
