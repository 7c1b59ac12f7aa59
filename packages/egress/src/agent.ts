/**
 * The only importer of the HTTP client.
 *
 * A1. A pool belongs to one origin under one policy. A connection that one policy opened is never used by another, so
 *     reuse cannot reach what a check would have refused.
 * A2. HTTP/1.1 only, one request at a time per connection, nothing is sent twice. HTTP/2 clients send requests again
 *     after GOAWAY, which this package promises never to do.
 * A3. The certificate is verified on every new connection: no session is resumed, and nothing switches it off.
 */
import { getCACertificates } from 'node:tls';
import { buildConnector, Pool } from 'undici';
import type { OpenedAddresses } from './address.ts';
import { type Answer, Exchange, type IsEnough } from './exchange.ts';
import { EgressFault } from './fault.ts';
import type { HeaderList } from './headers.ts';
import { assertLiteral, assertPeer, checkedLookup, type Resolve } from './pin.ts';
import type { CompiledPolicy } from './policy.ts';

/** Pools, connections and requests that may exist at once. */
export type AgentLimits = { maxPools: number; maxConnectionsPerPool: number; maxInFlight: number };

/** One request over one connection; the caller follows redirects and checks the policy. */
export type ConnectionRequest = {
  method: string;
  url: URL;
  headers: HeaderList;
  body: Uint8Array | undefined;
  compiled: CompiledPolicy;
  signal: AbortSignal;
  mayStart: () => boolean;
  isEnough: IsEnough | undefined;
};

/** Long enough for a burst, shorter than the time after which servers commonly close (5 s). */
const KEEP_ALIVE_MS = 4_000;
/** Even if the server offers more: an idle connection keeps an old address of the name. */
const KEEP_ALIVE_MAX_MS = 30_000;
/** Closes a connection before the server does. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** A busy connection, too, is opened anew after so many requests, with a new look-up of the name. */
const MAX_REQUESTS_PER_CONNECTION = 1_000;
const MAX_HEADER_BYTES = 32 * 1024;
/** RFC 8305 §5 recommends 250 ms before the next address is tried. */
const NEXT_ADDRESS_MS = 250;

type Entry = { pool: Pool; inFlight: number };

/** Keep-alive pools per origin and policy, bounded; the least recently used idle pool is closed first. */
export class PinnedAgent {
  readonly #resolve: Resolve;
  readonly #ca: string[];
  readonly #limits: AgentLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();
  #inFlight = 0;
  #closed = false;

  constructor({ resolve, ca, limits }: { resolve: Resolve; ca: readonly string[]; limits: AgentLimits }) {
    this.#resolve = resolve;
    this.#ca = [...getCACertificates('default'), ...ca];
    this.#limits = limits;
  }

  /** Sends one request. Rejects only with an EgressFault. */
  async send(request: ConnectionRequest): Promise<Answer> {
    if (this.#closed)
      throw new EgressFault('dependency_unavailable', { sent: 'no', detail: 'Egress is closed.' });
    if (this.#inFlight >= this.#limits.maxInFlight) throw busy('Too many outbound requests are in flight.');
    const entry = this.#entryFor(request);
    const maxResponseBytes = request.compiled.policy.maxResponseBytes;
    this.#inFlight += 1;
    entry.inFlight += 1;
    try {
      const { mayStart, signal, isEnough } = request;
      const exchange = new Exchange({ mayStart, signal, maxResponseBytes, isEnough });
      dispatch(entry.pool, request, exchange);
      return await exchange.answer;
    } finally {
      entry.inFlight -= 1;
      this.#inFlight -= 1;
    }
  }

  /** Accepts no more requests, waits for those in flight (each has its deadline), closes every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { pool } of this.#entries.values()) this.#close(pool);
    this.#entries.clear();
    await Promise.all(this.#closing);
  }

  #entryFor({ url, compiled }: ConnectionRequest): Entry {
    const key = `${compiled.key} ${url.origin}`;
    const known = this.#entries.get(key);
    if (known === undefined && this.#entries.size >= this.#limits.maxPools) this.#evict();
    const entry = known ?? { pool: this.#createPool(url, compiled), inFlight: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #evict(): void {
    for (const [key, { pool, inFlight }] of this.#entries) {
      if (inFlight > 0) continue;
      this.#entries.delete(key);
      this.#close(pool);
      return;
    }
    throw busy('Too many destinations are in use.');
  }

  #close(pool: Pool): void {
    const closing = pool.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #createPool(url: URL, { opened, policy }: CompiledPolicy): Pool {
    return new Pool(url.origin, {
      connect: this.#connector(opened, policy.connectTimeoutMs),
      connections: this.#limits.maxConnectionsPerPool,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      maxRequestsPerClient: MAX_REQUESTS_PER_CONNECTION,
      maxHeaderSize: MAX_HEADER_BYTES,
      strictContentLength: true,
      // The deadline of the request covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  #connector(opened: OpenedAddresses, timeoutMs: number): buildConnector.connector {
    const connect = buildConnector({
      lookup: checkedLookup(this.#resolve, opened),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
      ca: this.#ca,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      maxCachedSessions: 0,
      allowH2: false,
      timeout: timeoutMs,
    });
    return (options, callback) => {
      const refusal = refusalOf(() => assertLiteral(options.hostname, opened));
      if (refusal !== undefined) {
        // A connector must not call back before it returns.
        setImmediate(() => callback(refusal, null));
        return;
      }
      connect(options, (...[failure, socket]) => {
        if (failure !== null) {
          callback(failure, null);
          return;
        }
        const peerRefusal = refusalOf(() => assertPeer(socket, opened));
        if (peerRefusal === undefined) {
          callback(null, socket);
          return;
        }
        socket.destroy();
        callback(peerRefusal, null);
      });
    };
  }
}

function refusalOf(check: () => void): Error | undefined {
  try {
    check();
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause : new Error('The address could not be checked.');
  }
}

function dispatch(pool: Pool, { method, url, headers, body }: ConnectionRequest, exchange: Exchange): void {
  try {
    pool.dispatch(
      {
        method,
        path: `${url.pathname}${url.search}`,
        headers: headers.flat(),
        body: body ?? null,
        idempotent: false,
      },
      exchange,
    );
  } catch (cause) {
    const fault = cause instanceof Error ? cause : new Error('The client refused the request.');
    exchange.onResponseError(undefined, fault);
  }
}

function busy(detail: string): EgressFault {
  return new EgressFault('dependency_unavailable', { sent: 'no', detail });
}
