/**
 * Connections to upstream MCP servers, one per server, definition of the connection and credential.
 *
 * 1. A tool is called only where its present definition has the digest it had when it was applied. Definitions are
 *    read on every new connection, again when a local server says that they changed, and again over HTTP, where
 *    servers cannot say so, once they are older than `DEFINITIONS_MS`.
 * 2. A connection that died is made anew by the next call, at most once per `PAUSE_MS`.
 */
import { digestOf, Fault, type McpTransport, type Tool } from '@interlock/contracts';
import { definitionDigestOf } from './definition.ts';
import type { Errand, HttpParts } from './http.ts';
import { policyOf } from './http-request.ts';
import type { McpConnection } from './mcp.ts';
import { createMcpFetch, type McpExchange, withExchange } from './mcp-fetch.ts';

export type McpTarget = Extract<Tool['target'], { kind: 'mcp' }>;
export type McpDefinitions = ReadonlyMap<string, Awaited<ReturnType<McpConnection['list']>>[number]>;

/** A server over HTTP may change a tool unnoticed for as long as this. */
const DEFINITIONS_MS = 30_000;
/** A server that dies at once is not started in a loop. */
const PAUSE_MS = 1_000;
/** Starting a local server means loading a program. */
const CONNECT_TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 10_000;
/** Each local server is a process. */
const CONNECTIONS_MAX = 64;
const TOOLS_MAX = 512;
const ERROR_STATUS_MIN = 400;

interface Slot {
  connecting: Promise<McpConnection>;
  connection: McpConnection | undefined;
  definitions: Promise<McpDefinitions> | undefined;
  readAtMs: number;
  failedAtMs: number | undefined;
  inUse: number;
}

/** A connection whose tool was found to be what was applied. */
export interface PinnedMcp {
  connection: McpConnection;
  definition: Parameters<McpConnection['call']>[0]['definition'];
}

/** Opens connections when they are needed, and closes them all when it is disposed of. */
export class McpPool implements AsyncDisposable {
  readonly #parts: HttpParts & { monotonicMs: () => number };
  readonly #slots = new Map<string, Slot>();
  readonly #retired = new Set<Slot>();
  readonly #closing = new AbortController();

  constructor(parts: HttpParts & { monotonicMs: () => number }) {
    this.#parts = parts;
  }

  /**
   * Runs work on a connection to a tool's server, in the exchange that its requests belong to.
   * Throws `upstream_changed` when the tool is not what was applied, `dependency_unavailable` when there are too
   * many servers, and what connecting throws. Nothing of the call was sent then.
   */
  async use<T>(
    { target, credential }: { target: McpTarget; credential: string | undefined },
    exchange: McpExchange,
    work: (pinned: PinnedMcp) => Promise<T>,
  ): Promise<T> {
    const { server, connection } = target;
    const key = digestOf({ server, connection, credential: credential ?? null });
    return await withExchange(exchange, async () => {
      const { slot, pinned } = await inTime(this.#pinned(key, target, exchange), exchange);
      slot.inUse += 1;
      try {
        return await work(pinned);
      } finally {
        slot.inUse -= 1;
        if (slot.inUse === 0 && this.#retired.delete(slot)) closeSlot(slot).catch(() => {});
        if (exchange.status !== undefined && exchange.status >= ERROR_STATUS_MIN) this.#retire(key, slot);
      }
    });
  }

  /** Connects, lists every tool and closes. Throws what connecting throws. */
  async discover(connection: McpTransport, signal: AbortSignal): Promise<McpDefinitions> {
    const exchange = { errand: undefined, called: false, status: undefined, secrets: [] };
    return await withExchange(exchange, async () => {
      await using opened = await this.#connect(connection, signal, { changed: () => {}, closed: () => {} });
      return indexed(await opened.list(LIST_TIMEOUT_MS));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const slots = [...this.#slots.values(), ...this.#retired];
    this.#slots.clear();
    await Promise.all(slots.map(closeSlot));
  }

  /** A connection that was there already may have died unnoticed: then a new one is tried, once. */
  async #pinned(key: string, target: McpTarget, exchange: McpExchange) {
    const known = this.#slots.get(key);
    if (known !== undefined && known.failedAtMs === undefined) {
      const pinned = await this.#pin(known, target).catch((cause: unknown) => {
        if (cause instanceof Fault && cause.code === 'upstream_changed') throw cause;
        this.#retire(key, known);
        return undefined;
      });
      if (pinned !== undefined) return { slot: known, pinned };
    }
    const slot = this.#slotFor(key, target.connection, exchange);
    return { slot, pinned: await this.#pin(slot, target) };
  }

  #slotFor(key: string, connection: McpTransport, exchange: McpExchange): Slot {
    const known = this.#slots.get(key);
    if (known !== undefined && known.failedAtMs === undefined) return known;
    if (known?.failedAtMs !== undefined && this.#parts.monotonicMs() - known.failedAtMs < PAUSE_MS)
      throw pausing();
    this.#slots.delete(key);
    this.#makeRoom();
    const slot = this.#open(connection, exchange);
    this.#slots.set(key, slot);
    return slot;
  }

  #open(connection: McpTransport, exchange: McpExchange): Slot {
    const changed = () => {
      slot.definitions = undefined;
    };
    const closed = () => {
      slot.failedAtMs ??= this.#parts.monotonicMs();
    };
    const connecting = withExchange(exchange, () =>
      this.#connect(connection, this.#closing.signal, { changed, closed }),
    );
    const slot: Slot = {
      connecting,
      connection: undefined,
      definitions: undefined,
      readAtMs: 0,
      failedAtMs: undefined,
      inUse: 0,
    };
    connecting.then((opened) => {
      slot.connection = opened;
    }, closed);
    return slot;
  }

  async #connect(
    connection: McpTransport,
    signal: AbortSignal,
    { changed, closed }: { changed: () => void; closed: () => void },
  ): Promise<McpConnection> {
    const policy = connection.transport === 'http' ? { ...policyOf(connection), redirects: 0 } : undefined;
    const fetch = policy === undefined ? refuseFetch : createMcpFetch(policy, this.#parts);
    // The MCP client takes 9 MB, which an executor without such tools does without.
    const { connectMcp } = await import('./mcp.ts');
    return await connectMcp(connection, {
      fetch,
      signal,
      timeoutMs: CONNECT_TIMEOUT_MS,
      onToolsChanged: changed,
      onClosed: closed,
    });
  }

  async #pin(slot: Slot, target: McpTarget): Promise<PinnedMcp> {
    const connection = await slot.connecting;
    const definition = (await this.#definitions(slot, connection, target)).get(target.name);
    if (definition === undefined || definitionDigestOf(definition) !== target.definitionDigest)
      throw new Fault('upstream_changed');
    return { connection, definition };
  }

  #definitions(slot: Slot, connection: McpConnection, target: McpTarget): Promise<McpDefinitions> {
    const nowMs = this.#parts.monotonicMs();
    const isOld = target.connection.transport === 'http' && nowMs - slot.readAtMs > DEFINITIONS_MS;
    if (slot.definitions !== undefined && !isOld) return slot.definitions;
    const reading = connection.list(LIST_TIMEOUT_MS).then(indexed);
    slot.definitions = reading;
    slot.readAtMs = nowMs;
    reading.catch(() => {
      // Whoever asked hears of it; whoever asks next reads again.
      if (slot.definitions === reading) slot.definitions = undefined;
    });
    return reading;
  }

  #makeRoom(): void {
    if (this.#slots.size < CONNECTIONS_MAX) return;
    for (const [key, slot] of this.#slots) {
      if (slot.inUse > 0) continue;
      this.#slots.delete(key);
      // The map forgets it first, so nobody finds it half closed; a failing close leaves nothing to do.
      closeSlot(slot).catch(() => {});
      return;
    }
    throw new Fault('dependency_unavailable', { detail: 'Too many upstream servers are in use.' });
  }

  /** Takes a connection out of use; who works on it still may end. */
  #retire(key: string, slot: Slot): void {
    if (this.#slots.get(key) !== slot || slot.failedAtMs !== undefined) return;
    this.#slots.delete(key);
    // Nobody waits for it: what a failing close leaves behind ends with this process.
    if (slot.inUse === 0) closeSlot(slot).catch(() => {});
    else this.#retired.add(slot);
  }
}

/** Returns an exchange on behalf of a call. */
export function exchangeFor(errand: Errand): McpExchange {
  return { errand, called: false, status: undefined, secrets: [] };
}

/** A server that takes longer to be ready than the claim holds is not waited for; nothing was sent to it. */
async function inTime<T>(work: Promise<T>, { errand }: McpExchange): Promise<T> {
  if (errand === undefined) return await work;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Fault('egress_expired')), errand.gate.leftMs());
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function closeSlot(slot: Slot): Promise<void> {
  const opened = await slot.connecting.catch(() => undefined);
  await opened?.[Symbol.asyncDispose]();
}

function indexed(tools: Awaited<ReturnType<McpConnection['list']>>): McpDefinitions {
  if (tools.length > TOOLS_MAX)
    throw new Fault('upstream_failed', { detail: `A server may have ${TOOLS_MAX} tools.` });
  return new Map(tools.map((tool) => [tool.name, tool]));
}

function refuseFetch(): Promise<Response> {
  return Promise.reject(new Fault('internal', { detail: 'A local server makes no requests here.' }));
}

function pausing(): Fault {
  return new Fault('upstream_failed', { detail: 'The upstream server ended and is not started again yet.' });
}
