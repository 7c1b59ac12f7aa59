import { Fault, type ServiceName } from '@interlock/contracts';
import { connect, type Msg, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import type { BusLog } from './options.ts';
import { inboxPrefix } from './topology/accounts.ts';

/** A server that does not answer pings for this long, twice, is left. */
const PING_INTERVAL_MS = 2_000;
const PINGS_OUT_MAX = 2;
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 250;
const CONNECT_TIMEOUT_MS = 3_000;
/** How long a service waits for the bus when it starts. */
const FIRST_CONNECT_MS = 30_000;

export interface ConnectionOptions {
  service: ServiceName;
  url: string;
  seed: string;
  log: BusLog;
}

/** A connection that reconnects for ever and says when it is away. */
export interface Connection extends AsyncDisposable {
  readonly nats: NatsConnection;
  readonly connected: boolean;
  /**
   * Hears a subject. When it resolves the server has taken the subscription, so that whoever is told to go on now is
   * heard; before that a message of another connection can be faster. In a queue group one of the listeners hears.
   * Throws `dependency_unavailable` when the bus is away.
   */
  listen(subject: string, listener: (message: Msg) => void, queue?: string): Promise<void>;
  /** Calls back each time the connection is there again. Returns how to stop that. */
  onReconnect(listener: () => void): () => void;
}

/** Connects to the bus as one service. Throws `dependency_unavailable` when no server answers in time. */
export async function openConnection({ service, url, seed, log }: ConnectionOptions): Promise<Connection> {
  const nats = await firstConnection(url, {
    name: `interlock-${service}`,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
    inboxPrefix: inboxPrefix(service),
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_OUT_MAX,
    timeout: CONNECT_TIMEOUT_MS,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  });
  const listeners = new Set<() => void>();
  let connected = true;
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect') connected = false;
      if (status.type === 'disconnect') log.warn({}, 'the bus is away');
      if (status.type === 'error') log.error({ err: status.error }, 'the bus refused an operation');
      if (status.type !== 'reconnect') continue;
      connected = true;
      log.info({}, 'the bus is back');
      for (const listener of listeners) listener();
    }
  })();
  return {
    nats,
    get connected() {
      return connected && !nats.isClosed();
    },
    listen: async (subject, listener, queue) => {
      nats.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) => {
          if (error === null) listener(message);
        },
      });
      await nats.flush().catch((cause: unknown) => {
        throw new Fault('dependency_unavailable', { detail: 'The bus did not take a subscription.', cause });
      });
    },
    onReconnect: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: async () => {
      if (!nats.isClosed()) await nats.close();
    },
  };
}

async function firstConnection(url: string, options: Parameters<typeof connect>[0]): Promise<NatsConnection> {
  const giveUpAt = performance.now() + FIRST_CONNECT_MS;
  for (;;) {
    try {
      return await connect({ ...options, servers: url.split(',') });
    } catch (cause) {
      if (performance.now() > giveUpAt) {
        throw new Fault('dependency_unavailable', {
          detail: 'The bus does not answer, or refuses this service.',
          cause,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_WAIT_MS));
    }
  }
}
