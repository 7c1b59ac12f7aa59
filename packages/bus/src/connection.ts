/**
 * One connection to NATS, which reconnects for ever.
 *
 * N1 Over `tls://` nothing is sent before the server has proved its name. A server without TLS, or with a certificate
 *    that does not verify, ends the start at once; while the service runs it is tried again, like a server that is down.
 */
import { readFile } from 'node:fs/promises';
import { Fault, type ServiceName } from '@interlock/contracts';
import {
  type ConnectionOptions as ClientOptions,
  connect,
  type Msg,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
} from '@nats-io/transport-node';
import type { BusLog, NatsAddress } from './options.ts';
import { inboxPrefix } from './topology/accounts.ts';

/** A server that leaves two pings of this interval unanswered is given up. */
const PING_INTERVAL_MS = 2_000;
const PINGS_OUT_MAX = 2;
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 250;
const CONNECT_TIMEOUT_MS = 3_000;
/** How long a service waits for NATS when it starts. */
const FIRST_CONNECT_MS = 30_000;
/** Node's codes for a certificate that does not verify, and the client's message about a server without TLS. */
const UNTRUSTED = /CERT|SIGNATURE|INVALID_CA|INVALID_PURPOSE|does not support 'tls'/;

export interface ConnectionOptions {
  service: ServiceName;
  server: NatsAddress;
  seed: string;
  log: BusLog;
}

/** A connection that reconnects for ever and reports when it is lost. */
export interface Connection extends AsyncDisposable {
  readonly nats: NatsConnection;
  /** True while the server can be reached. */
  readonly reachable: boolean;
  /** True while the server can be reached and nothing forbids to use the connection. */
  readonly connected: boolean;
  /** Why the connection must not or cannot be used; undefined while it is `connected`. */
  readonly trouble: string | undefined;
  /** Forbids to use the connection while there is a reason. Asked whenever it is about to be used. */
  forbid(reason: () => string | undefined): void;
  /**
   * Subscribes to a subject. When it resolves the server has the subscription, so a message that is sent because of it
   * is received. In a queue group, one of the listeners receives each message.
   * Throws `dependency_unavailable` when the server does not answer.
   */
  listen(subject: string, listener: (message: Msg) => void, queue?: string): Promise<void>;
  /** Calls back after each reconnection. Returns a function that ends that. */
  onReconnect(listener: () => void): () => void;
}

/**
 * Connects as one service. Throws `configuration_invalid` when TLS was asked for and cannot be had (N1), and
 * `dependency_unavailable` when no server answers in time.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const nats = await firstConnection(await clientOptions(options));
  const { log } = options;
  const listeners = new Set<() => void>();
  let connected = true;
  let forbidden: () => string | undefined = () => undefined;
  const isReachable = () => connected && !nats.isClosed();
  const troubleOf = () => (isReachable() ? forbidden() : 'disconnected from NATS');
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect') connected = false;
      if (status.type === 'disconnect') log.warn({}, 'disconnected from NATS; reconnecting');
      if (status.type === 'error') log.error({ err: status.error }, 'NATS refused an operation');
      if (status.type !== 'reconnect') continue;
      connected = true;
      log.info({}, 'reconnected to NATS');
      for (const listener of listeners) listener();
    }
  })();
  return {
    nats,
    get reachable() {
      return isReachable();
    },
    get connected() {
      return troubleOf() === undefined;
    },
    get trouble() {
      return troubleOf();
    },
    forbid: (reason) => {
      forbidden = reason;
    },
    listen: async (subject, listener, queue) => {
      nats.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) => {
          if (error === null) listener(message);
        },
      });
      await nats.flush().catch((cause: unknown) => {
        throw new Fault('dependency_unavailable', { detail: 'NATS did not confirm a subscription.', cause });
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

/** Throws `dependency_unavailable` while the connection cannot or must not be used. `lost` says what was not done. */
export function assertUsable({ trouble }: Pick<Connection, 'trouble'>, lost: string): void {
  if (trouble !== undefined) throw new Fault('dependency_unavailable', { detail: `${lost} (${trouble})` });
}

async function clientOptions({ service, server, seed }: ConnectionOptions): Promise<ClientOptions> {
  const servers = server.url.split(',');
  const tls = servers.some((url) => url.startsWith('tls://')) ? await tlsOptions(server) : undefined;
  return {
    servers,
    ...(tls === undefined ? {} : { tls }),
    name: `interlock-${service}`,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
    inboxPrefix: inboxPrefix(service),
    maxReconnectAttempts: -1,
    reconnectDelayHandler: reconnectPace(
      () => performance.now(),
      () => RECONNECT_WAIT_MS + Math.random() * RECONNECT_JITTER_MS,
    ),
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_OUT_MAX,
    timeout: CONNECT_TIMEOUT_MS,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
}

/**
 * Returns how long the client waits between two attempts. The client compares the wall clock with that of its last attempt,
 * so that one whose clock was ahead for a moment would try again only when that time has come. A wait of minus infinity has
 * it try at once: here the monotonic clock says when.
 */
export function reconnectPace(monotonicMs: () => number, nextWaitMs: () => number): () => number {
  let dueMs = Number.NEGATIVE_INFINITY;
  let waitMs = 0;
  return () => {
    if (monotonicMs() < dueMs) return waitMs;
    waitMs = nextWaitMs();
    dueMs = monotonicMs() + waitMs;
    return Number.NEGATIVE_INFINITY;
  };
}

/** With these options, even empty ones, the client refuses a server without TLS. */
async function tlsOptions({ caFile }: NatsAddress): Promise<TlsOptions> {
  if (caFile === undefined) return {};
  try {
    await readFile(caFile);
  } catch (cause) {
    throw new Fault('configuration_invalid', { detail: 'INTERLOCK_NATS_CA_FILE cannot be read.', cause });
  }
  return { caFile };
}

async function firstConnection(options: ClientOptions): Promise<NatsConnection> {
  const giveUpAt = performance.now() + FIRST_CONNECT_MS;
  for (;;) {
    try {
      return await connect(options);
    } catch (cause) {
      if (options.tls !== undefined && isUntrusted(cause))
        throw new Fault('configuration_invalid', {
          detail:
            'NATS_URL asks for TLS, but the server has none or its certificate does not verify. Check NATS_URL, INTERLOCK_NATS_CA_FILE and the server.',
          cause,
        });
      if (performance.now() > giveUpAt) {
        throw new Fault('dependency_unavailable', {
          detail: `NATS does not answer, or refuses this service, since ${FIRST_CONNECT_MS / 1_000} s. Check NATS_URL and the server's log.`,
          cause,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_WAIT_MS));
    }
  }
}

function isUntrusted(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return UNTRUSTED.test(code) || UNTRUSTED.test(error.message);
}
