/** Looking what a server offers. Nothing is called, and no credential is sent: docs/decisions/035. */
import { Fault, type McpTransport } from '@interlock/contracts';
import type { Egress } from '@interlock/egress';
import type { LocalServers } from '@interlock/sandbox';
import { connectMcp } from './connect.ts';
import { type DiscoveredTool, discoveredOf } from './definition.ts';
import { type McpRequest, mcpFetch, REDIRECTS_MAX, refuseFetch } from './fetch.ts';

/** What servers are reached with. */
export interface Discovering {
  egress: Pick<Egress, 'request'>;
  servers: Pick<LocalServers, 'prepare'>;
  signal: AbortSignal;
  /** How long a server is waited for, where that is less than its file says. */
  limitMs?: number;
}

/** Of a server over HTTP; a local one says itself how long it takes to start. */
const CONNECT_TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 10_000;
/** Of the timeout of one request. */
const EGRESS_CONNECT_MS = 5_000;

/** Connects, lists every tool and closes. Throws what connecting throws. */
export async function discoverTools(
  connection: McpTransport,
  { egress, servers, signal, limitMs = Number.POSITIVE_INFINITY }: Discovering,
): Promise<DiscoveredTool[]> {
  await using opened = await connectMcp(connection, {
    fetch: connection.transport === 'http' ? fetchFor(connection, egress) : refuseFetch,
    prepare: async () => {
      if (connection.transport === 'stdio') return await servers.prepare(connection);
      throw new Fault('internal', { detail: 'A server over HTTP has no process here.' });
    },
    signal,
    timeoutMs: Math.min(limitMs, connection.transport === 'stdio' ? connection.startMs : CONNECT_TIMEOUT_MS),
    onToolsChanged: () => {},
    onClosed: () => {},
  });
  const definitions = await opened.list(Math.min(limitMs, LIST_TIMEOUT_MS));
  return [...definitions.values()].flatMap((definition) => discoveredOf(definition) ?? []);
}

function fetchFor(
  { egress: allowed, headers }: Extract<McpTransport, { transport: 'http' }>,
  egress: Discovering['egress'],
) {
  const connectTimeoutMs = Math.min(EGRESS_CONNECT_MS, allowed.timeoutMs);
  const policy = { ...allowed, connectTimeoutMs, redirects: REDIRECTS_MAX };
  return mcpFetch(headers, async ({ message: _message, ...request }: McpRequest, signal) => {
    const within = signal ?? AbortSignal.timeout(allowed.timeoutMs);
    return await egress.request({
      ...{ ...request, policy, signal: within },
      ...{ sensitiveHeaders: [], mayStart: () => true },
    });
  });
}
