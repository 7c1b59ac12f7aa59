/**
 * Connections to upstream MCP servers, one per server, definition of the connection and credential; to a local server
 * also one per user, unless it is declared as shared: what a server remembers of one user, it tells no other.
 *
 * M1. A tool is called only while its definition has the digest it had when it was applied. Definitions are read on
 *     every new connection, again when a local server reports that they changed, and again over HTTP, where servers
 *     cannot report it, once they are older than `DEFINITIONS_MS`.
 * M2. A connection that broke is opened anew by the next call, at most once per `PAUSE_MS`.
 * M3. A local server is started only if it is on the operator's list as it stands in that moment.
 */
import {
  digestOf,
  Fault,
  type LocalServerConnection,
  type McpTransport,
  type Tool,
} from '@interlock/contracts';
import {
  connectMcp,
  definitionDigestOf,
  type McpConnection,
  type McpDefinitions,
  REDIRECTS_MAX,
  refuseFetch,
} from '@interlock/mcp';
import { isListed, type LocalServer, type LocalServers, readCommandList } from '@interlock/sandbox';
import type { HttpParts, ToolRequest } from './http.ts';
import { policyOf } from './http-request.ts';
import { createMcpFetch, type McpExchange, withExchange } from './mcp-fetch.ts';

export type McpTarget = Extract<Tool['target'], { kind: 'mcp' }>;

/** A server over HTTP may change a tool for as long as this before it is noticed. */
const DEFINITIONS_MS = 30_000;
/** A server that ends at once is not started in a tight loop. */
const PAUSE_MS = 1_000;
/** Starting a local server means loading a program. */
const CONNECT_TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 10_000;
/** Each local server is a process. */
const CONNECTIONS_MAX = 64;
/** One tenant's users leave room for those of others. */
const LOCAL_PER_TENANT_MAX = 16;
/** A local server that nobody used for as long is ended. */
const IDLE_MS = 300_000;
const ERROR_STATUS_MIN = 400;

/** What a pool is made of. */
export interface PoolParts extends HttpParts {
  monotonicMs: () => number;
  servers: LocalServers;
  /** The file that lists the local servers which may be started; without one there are none. */
  commandsFile: string | undefined;
}

interface PooledConnection {
  /** The tenant whose process it is; undefined where everybody may share it. */
  tenant: string | undefined;
  connecting: Promise<McpConnection>;
  connection: McpConnection | undefined;
  definitions: Promise<McpDefinitions> | undefined;
  readAtMs: number;
  failedAtMs: number | undefined;
  inUse: number;
  usedAtMs: number;
}

/** A connection whose tool has the definition that was applied. */
export interface PinnedMcp {
  connection: McpConnection;
  definition: Parameters<McpConnection['call']>[0]['definition'];
}

/** Opens connections when they are needed, and closes them all when it is disposed of. */
export class McpPool implements AsyncDisposable {
  readonly #parts: PoolParts;
  readonly #pooled = new Map<string, PooledConnection>();
  readonly #retired = new Set<PooledConnection>();
  readonly #closing = new AbortController();
  readonly #idle: NodeJS.Timeout;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#idle = setInterval(() => this.endIdle(), IDLE_MS / 2).unref();
  }

  /**
   * Runs work on a connection to a tool's server, in the exchange that its requests belong to.
   * Throws `upstream_changed` when the tool is not what was applied, `dependency_unavailable` when too many servers are
   * in use, and what connecting throws. Nothing of the call was sent then.
   */
  async use<T>(
    { target, credentials }: { target: McpTarget; credentials: readonly string[] },
    exchange: McpExchange,
    work: (pinned: PinnedMcp) => Promise<T>,
  ): Promise<T> {
    const { server, connection } = target;
    const owner = ownerOf(connection, exchange);
    const key = digestOf({ server, connection, credentials, owner: owner ?? null });
    return await withExchange(exchange, async () => {
      const { pooled, pinned } = await inTime(this.#pinned(key, target, exchange, owner?.tenant), exchange);
      pooled.inUse += 1;
      try {
        return await work(pinned);
      } finally {
        pooled.inUse -= 1;
        pooled.usedAtMs = this.#parts.monotonicMs();
        if (pooled.inUse === 0 && this.#retired.delete(pooled)) closePooled(pooled).catch(() => {});
        if (exchange.status !== undefined && exchange.status >= ERROR_STATUS_MIN) this.#retire(key, pooled);
      }
    });
  }

  /** Ends the local servers that nobody has used for `IDLE_MS`. */
  endIdle(): void {
    const before = this.#parts.monotonicMs() - IDLE_MS;
    for (const [key, pooled] of this.#pooled)
      if (pooled.tenant !== undefined && pooled.inUse === 0 && pooled.usedAtMs < before)
        this.#drop(key, pooled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#idle);
    this.#closing.abort();
    const all = [...this.#pooled.values(), ...this.#retired];
    this.#pooled.clear();
    await Promise.all(all.map(closePooled));
  }

  /** A connection from an earlier call may have broken since: then a new one is tried, once. */
  async #pinned(key: string, target: McpTarget, exchange: McpExchange, tenant: string | undefined) {
    const known = this.#pooled.get(key);
    if (known !== undefined && known.failedAtMs === undefined) {
      const pinned = await this.#pin(known, target).catch((cause: unknown) => {
        if (cause instanceof Fault && cause.code === 'upstream_changed') throw cause;
        this.#retire(key, known);
        return undefined;
      });
      if (pinned !== undefined) return { pooled: known, pinned };
    }
    const pooled = this.#pooledFor(key, target.connection, exchange, tenant);
    return { pooled, pinned: await this.#pin(pooled, target) };
  }

  #pooledFor(
    key: string,
    connection: McpTransport,
    exchange: McpExchange,
    tenant: string | undefined,
  ): PooledConnection {
    const known = this.#pooled.get(key);
    if (known !== undefined && known.failedAtMs === undefined) return known;
    if (known?.failedAtMs !== undefined && this.#parts.monotonicMs() - known.failedAtMs < PAUSE_MS)
      throw pausing();
    this.#pooled.delete(key);
    this.#makeRoom(tenant);
    const pooled = this.#open(connection, exchange, tenant);
    this.#pooled.set(key, pooled);
    return pooled;
  }

  #open(connection: McpTransport, exchange: McpExchange, tenant: string | undefined): PooledConnection {
    const changed = () => {
      pooled.definitions = undefined;
    };
    const closed = () => {
      pooled.failedAtMs ??= this.#parts.monotonicMs();
    };
    const connecting = withExchange(exchange, () =>
      this.#connect(connection, this.#closing.signal, { changed, closed }),
    );
    const pooled: PooledConnection = {
      tenant,
      connecting,
      connection: undefined,
      definitions: undefined,
      readAtMs: 0,
      failedAtMs: undefined,
      inUse: 0,
      usedAtMs: this.#parts.monotonicMs(),
    };
    connecting.then((opened) => {
      pooled.connection = opened;
    }, closed);
    return pooled;
  }

  async #connect(
    connection: McpTransport,
    signal: AbortSignal,
    { changed, closed }: { changed: () => void; closed: () => void },
  ): Promise<McpConnection> {
    const fetch =
      connection.transport === 'http'
        ? createMcpFetch(
            { ...policyOf(connection), redirects: REDIRECTS_MAX },
            connection.headers,
            this.#parts,
          )
        : refuseFetch;
    return await connectMcp(connection, {
      fetch,
      prepare: () => this.#prepare(connection),
      signal,
      timeoutMs: connection.transport === 'stdio' ? connection.startMs : CONNECT_TIMEOUT_MS,
      onToolsChanged: changed,
      onClosed: closed,
    });
  }

  /** M3 */
  async #prepare(connection: McpTransport): Promise<LocalServer> {
    if (connection.transport !== 'stdio')
      throw new Fault('internal', { detail: 'A server over HTTP has no process here.' });
    const { commandsFile, servers } = this.#parts;
    if (commandsFile === undefined || !isListed(await readCommandList(commandsFile), connection))
      throw unlisted(connection);
    return await servers.prepare(connection);
  }

  async #pin(pooled: PooledConnection, target: McpTarget): Promise<PinnedMcp> {
    const connection = await pooled.connecting;
    const definition = (await this.#definitions(pooled, connection, target)).get(target.name);
    if (definition === undefined || definitionDigestOf(definition) !== target.definitionDigest)
      throw new Fault('upstream_changed');
    return { connection, definition };
  }

  #definitions(
    pooled: PooledConnection,
    connection: McpConnection,
    target: McpTarget,
  ): Promise<McpDefinitions> {
    const nowMs = this.#parts.monotonicMs();
    const isOld = target.connection.transport === 'http' && nowMs - pooled.readAtMs > DEFINITIONS_MS;
    if (pooled.definitions !== undefined && !isOld) return pooled.definitions;
    const reading = connection.list(LIST_TIMEOUT_MS);
    pooled.definitions = reading;
    pooled.readAtMs = nowMs;
    reading.catch(() => {
      // This caller gets the error, and the next one reads again.
      if (pooled.definitions === reading) pooled.definitions = undefined;
    });
    return reading;
  }

  #makeRoom(tenant: string | undefined): void {
    const own = [...this.#pooled].filter(([, pooled]) => tenant !== undefined && pooled.tenant === tenant);
    const isFull = own.length >= LOCAL_PER_TENANT_MAX;
    if (!isFull && this.#pooled.size < CONNECTIONS_MAX) return;
    const [leaving] = (isFull ? own : [...this.#pooled]).filter(([, pooled]) => pooled.inUse === 0);
    if (leaving === undefined)
      throw new Fault('dependency_unavailable', {
        detail: 'Too many upstream servers are in use at once. Nothing was sent.',
      });
    this.#drop(...leaving);
  }

  #drop(key: string, pooled: PooledConnection): void {
    // It leaves the map first, so that nobody finds it half closed. A close that fails leaves nothing to do.
    this.#pooled.delete(key);
    closePooled(pooled).catch(() => {});
  }

  /** Takes a connection out of use. Calls that are on it may end. */
  #retire(key: string, pooled: PooledConnection): void {
    if (this.#pooled.get(key) !== pooled || pooled.failedAtMs !== undefined) return;
    this.#pooled.delete(key);
    // Nobody waits for it: what a close that fails leaves behind ends with this process.
    if (pooled.inUse === 0) closePooled(pooled).catch(() => {});
    else this.#retired.add(pooled);
  }
}

/** Returns whose process a connection is; undefined where everybody may use the same. */
function ownerOf(
  connection: McpTransport,
  { toolRequest }: McpExchange,
): { tenant: string; user: string } | undefined {
  if (connection.transport !== 'stdio' || connection.shared) return undefined;
  const { tenant, user } = toolRequest.identity;
  return { tenant, user };
}

function unlisted({ command }: LocalServerConnection): Fault {
  return new Fault('command_unlisted', {
    detail: `The operator's list does not have the local MCP server ${command} with these arguments, folders and environment.`,
  });
}

/** Returns the exchange of a call. */
export function exchangeFor(toolRequest: ToolRequest): McpExchange {
  return { toolRequest, called: false, status: undefined, retryAfter: undefined, secrets: [] };
}

/** A server that is not ready before the claim runs out is not waited for. Nothing was sent to it. */
async function inTime<T>(work: Promise<T>, { toolRequest }: McpExchange): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Fault('egress_expired')), toolRequest.guard.leftMs());
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function closePooled(pooled: PooledConnection): Promise<void> {
  const opened = await pooled.connecting.catch(() => undefined);
  await opened?.[Symbol.asyncDispose]();
}

function pausing(): Fault {
  return new Fault('upstream_failed', {
    detail: 'The upstream server ended a moment ago and is started again within a second.',
  });
}
