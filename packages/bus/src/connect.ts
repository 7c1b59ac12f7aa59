import { Fault, type RpcName } from '@interlock/contracts';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Bus, BusOptions } from './bus.ts';
import { receiveCancels, receiveFrames, sendCancel, sendFrames } from './channel.ts';
import { openConnection } from './connection.ts';
import { createConsume } from './consume.ts';
import { openEntries, verifiedTexts } from './entries.ts';
import {
  followClaims,
  followStream,
  publishAnchor,
  publishControl,
  readAnchors,
  readSequence,
  streamState,
} from './follow.ts';
import { createPublisher } from './publish.ts';
import { openBlobs, openRecords } from './records.ts';
import { askRpc, serveRpc } from './rpc.ts';
import { runStep } from './step.ts';
import { hearStored } from './stored.ts';
import { API_PREFIX } from './topology/accounts.ts';

/** A call on JetStream's API may take this long. */
const API_TIMEOUT_MS = 3_000;
/** Reading a call from the leader is waited for in the middle of a call: it is over before a publish is given up. */
const READ_TIMEOUT_MS = 2_000;

/** Connects a service to the bus. Throws `dependency_unavailable` when no server answers in 30 s. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { service, url, keys, keyring, clock, log } = options;
  const connection = await openConnection({ service, url, seed: keys.busSeed.reveal(), log });
  const { nats } = connection;
  const js = jetstream(nats, { apiPrefix: API_PREFIX, timeout: API_TIMEOUT_MS });
  const api = { apiPrefix: API_PREFIX, checkAPI: false };
  const jsm = await jetstreamManager(nats, { ...api, timeout: API_TIMEOUT_MS });
  const reader = await jetstreamManager(nats, { ...api, timeout: READ_TIMEOUT_MS });
  const source = `interlock/${service}`;
  const publisher = createPublisher({ connection, js, reader, clock, source });
  const consume = createConsume(connection, js, log);
  const following = { connection, js, jsm, keys, clock, log, source };
  const buckets = { connection, js, jsm, log, keys, keyring, clock, verified: verifiedTexts() };

  return {
    service,
    get connected() {
      return connection.connected;
    },
    step: (consumer, step) => runStep({ publisher, consume, log }, consumer, step),
    publish: (step, address, body, expected) => publisher.publish(step, address, body, expected),
    claim: (step, claim, expected) => publisher.claim(step, claim, expected),
    settle: (settled, claimSequence) => publisher.publish('settled', settled, settled, claimSequence),
    refuse: (refused) => publisher.publish('refused', refused, refused, 0),
    readCall: (tenant, call) => publisher.readCall(tenant, call),
    readStep: (step, tenant, call) => publisher.readStep(step, tenant, call),
    onStored: (step, listener) => hearStored(connection, log, step, listener),
    sendResult: (replyTo, call, body) => sendFrames(nats, replyTo, call, body),
    onResult: (replica, listener) => receiveFrames(connection, replica, listener),
    sendCancel: (replica, call) => sendCancel(nats, replica, call),
    onCancel: (listener) => receiveCancels(connection, listener),
    serve: (name, answer) => serveRpc(connection, log, name, answer),
    ask: <N extends RpcName>(name: N, request: Parameters<typeof askRpc<N>>[2], timeoutMs: number) =>
      askRpc(connection, name, request, timeoutMs),
    entries: (bucket) => openEntries(buckets, bucket),
    records: (bucket, schema) => openRecords(buckets, bucket, schema),
    blobs: (bucket) => openBlobs(buckets, bucket),
    control: (act) => publishControl(following, act),
    follow: (consumer, store) => followStream(following, consumer, store),
    followClaims: (listener) => followClaims(following, listener),
    streamState: (stream) => streamState(following, stream),
    readSequence: (stream, sequence) => readSequence(following, stream, sequence),
    purgeLedgerBelow: async (sequence) => {
      await jsm.streams.purge('LEDGER', { seq: sequence }).catch((cause: unknown) => {
        throw new Fault('dependency_unavailable', { detail: 'The ledger could not be purged.', cause });
      });
    },
    anchor: (anchor) => publishAnchor(following, anchor),
    anchors: (stream) => readAnchors(following, stream),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
