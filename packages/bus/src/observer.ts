/** A look at the streams from the account that holds them: for tests and for an operator's repairs, never for a service. */
import {
  type BucketName,
  type CallAddress,
  lifecycle,
  parseSubject,
  type Step,
  stepSubject,
} from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { JetStreamApiCodes, JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { openConnection } from './connection.ts';
import type { BusLog } from './options.ts';

const API_TIMEOUT_MS = 2_000;
const NO_MESSAGE = 10037;

/** An event of a call as it was published; whether it was stored is another question. */
export interface Sighting {
  step: Step;
  address: CallAddress;
  /** The event's body, as text. */
  text: string;
}

export interface Observer extends AsyncDisposable {
  /** Tells of every event of every call that is published from now on. */
  onPublished(listener: (sighting: Sighting) => void): Promise<void>;
  /** True when a stream holds the event of a call's step. Throws when the server does not answer. */
  holds(step: Step, call: { tenant: string; call: string }): Promise<boolean>;
  /** Returns the text that stands under a key of a bucket. */
  textAt(bucket: BucketName, key: string): Promise<string | undefined>;
  /** Puts any text under a key, or takes the key away, as whoever stole the bus key of the bucket's writer could. */
  putText(bucket: BucketName, key: string, text: string | undefined): Promise<void>;
  /** Deletes the line with everything in flight. */
  loseLine(): Promise<void>;
  /** True when the line is there, with or without its consumers. */
  hasLine(): Promise<boolean>;
}

/** Connects with the provisioner's seed, which alone may join the account of the streams. */
export async function connectObserver({
  url,
  seed,
  log,
}: {
  url: string;
  seed: Secret;
  log: BusLog;
}): Promise<Observer> {
  const connection = await openConnection({ service: 'provisioner', url, seed: seed.reveal(), log });
  const { nats } = connection;
  const jsm = await jetstreamManager(nats, { timeout: API_TIMEOUT_MS, checkAPI: false });
  return {
    onPublished: async (listener) => {
      for (const family of ['line', 'ledger', 'approval'])
        await connection.listen(`interlock.${family}.v1.>`, (message) => {
          const parsed = parseSubject(message.subject);
          if (parsed !== undefined) listener({ ...parsed, text: message.string() });
        });
    },
    holds: async (step, call) => {
      const subject = stepSubject(step, call);
      const found = await foundOr(
        () => jsm.streams.getMessage(lifecycle[step].stream, { last_by_subj: subject }),
        [NO_MESSAGE, JetStreamApiCodes.StreamNotFound],
      );
      return found !== undefined && found !== null;
    },
    textAt: async (bucket, key) =>
      (
        await foundOr(
          () => jsm.streams.getMessage(`KV_${bucket}`, { last_by_subj: `$KV.${bucket}.${key}` }),
          [NO_MESSAGE],
        )
      )?.string(),
    putText: async (bucket, key, text) => {
      const fields = headers();
      if (text === undefined) fields.set('KV-Operation', 'DEL');
      await jetstream(nats).publish(`$KV.${bucket}.${key}`, text ?? '', { headers: fields });
    },
    loseLine: async () => void (await jsm.streams.delete('LINE')),
    hasLine: async () =>
      (await foundOr(() => jsm.streams.info('LINE'), [JetStreamApiCodes.StreamNotFound])) !== undefined,
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** Returns undefined where the server says that there is no such thing. */
async function foundOr<T>(look: () => Promise<T>, missing: readonly number[]): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof JetStreamApiError && missing.includes(error.code)) return undefined;
    throw error;
  }
}
