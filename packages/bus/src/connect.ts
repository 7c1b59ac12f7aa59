import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { openAuditStreams } from './audit-streams.ts';
import { openBuckets } from './buckets.ts';
import type { Bus } from './bus.ts';
import { type Connection, openConnection } from './connection.ts';
import type { BusContext } from './context.ts';
import { openLedger } from './ledger.ts';
import type { BusOptions } from './options.ts';
import { openPeers } from './peers.ts';
import { type Pulse, startPulse } from './pulse.ts';
import { openSteps } from './steps.ts';
import { type Stores, watchStores } from './stores.ts';
import { API_PREFIX } from './topology/accounts.ts';

/** A call on JetStream's API may take this long. */
const API_TIMEOUT_MS = 3_000;
/** A call is read from the leader while its agent waits: the read ends before a publish would. */
const READ_TIMEOUT_MS = 2_000;
/** The pulse gives a question up so soon that the next one is asked soon after the server answers again. */
const PULSE_TIMEOUT_MS = 1_000;
/** A server that was not heard for so long is no more ready than one that is gone. */
const SILENT_MS = 3_000;

/** Connects a service to the bus. Throws `dependency_unavailable` when no server answers in 30 s. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { service, nats: server, keys, keyring, clock, log } = options;
  await using stack = new AsyncDisposableStack();
  const connection = stack.use(await openConnection({ service, server, seed: keys.busSeed.reveal(), log }));
  const { nats } = connection;
  const api = { apiPrefix: API_PREFIX, checkAPI: false };
  const asking = await jetstreamManager(nats, { ...api, timeout: PULSE_TIMEOUT_MS });
  const pulse = stack.use(await startPulse({ connection, jsm: asking, clock, log }));
  const stores = await watchStores({ connection, clock, log }, service);
  const at: BusContext = {
    connection,
    pulse,
    js: jetstream(nats, { apiPrefix: API_PREFIX, timeout: API_TIMEOUT_MS }),
    jsm: await jetstreamManager(nats, { ...api, timeout: API_TIMEOUT_MS }),
    reader: await jetstreamManager(nats, { ...api, timeout: READ_TIMEOUT_MS }),
    ...{ keys, keyring, clock, log },
    source: `interlock/${service}`,
  };
  const owned = stack.move();
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
    get ready() {
      return troubleOf(connection, pulse, stores) ?? true;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function troubleOf(connection: Connection, pulse: Pulse, stores: Stores): string | undefined {
  if (connection.trouble !== undefined) return connection.trouble;
  const silentMs = pulse.ageMs();
  if (silentMs > SILENT_MS) return `NATS has not answered for ${Math.floor(silentMs / 1_000)} s`;
  return stores.trouble;
}
