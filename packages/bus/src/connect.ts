import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { openAuditStreams } from './audit-streams.ts';
import { openBuckets } from './buckets.ts';
import type { Bus } from './bus.ts';
import { openConnection } from './connection.ts';
import type { BusContext } from './context.ts';
import { openLedger } from './ledger.ts';
import type { BusOptions } from './options.ts';
import { openPeers } from './peers.ts';
import { openSteps } from './steps.ts';
import { API_PREFIX } from './topology/accounts.ts';

/** A call on JetStream's API may take this long. */
const API_TIMEOUT_MS = 3_000;
/** A call is read from the leader while its agent waits: the read ends before a publish would. */
const READ_TIMEOUT_MS = 2_000;

/** Connects a service to the bus. Throws `dependency_unavailable` when no server answers in 30 s. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { service, nats: server, keys, keyring, clock, log } = options;
  const connection = await openConnection({ service, server, seed: keys.busSeed.reveal(), log });
  const { nats } = connection;
  const api = { apiPrefix: API_PREFIX, checkAPI: false };
  const at: BusContext = {
    connection,
    js: jetstream(nats, { apiPrefix: API_PREFIX, timeout: API_TIMEOUT_MS }),
    jsm: await jetstreamManager(nats, { ...api, timeout: API_TIMEOUT_MS }),
    reader: await jetstreamManager(nats, { ...api, timeout: READ_TIMEOUT_MS }),
    ...{ keys, keyring, clock, log },
    source: `interlock/${service}`,
  };
  return {
    ...openSteps(at),
    ...openLedger(at),
    ...openAuditStreams(at),
    ...openPeers(at),
    ...openBuckets(at),
    service,
    get connected() {
      return connection.connected;
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
