import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { EgressPolicy } from './policy.ts';
import type { EgressRequest } from './request.ts';

/** A request that a server received. */
export type Seen = { method: string; path: string; headers: IncomingHttpHeaders; body: string };

/** A real HTTP server on loopback and the requests it received; closed by `await using`. */
export type Upstream = AsyncDisposable & { port: number; seen: Seen[]; connections: () => number };

/** Starts a server on a free port, with TLS where a certificate is given. */
export async function startUpstream(
  answer: RequestListener,
  certificate?: { cert: string; key: string },
): Promise<Upstream> {
  const seen: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      seen.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
      answer(request, response);
    });
  };
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const port = await listen(server);
  return {
    port,
    seen,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Listens on a free loopback port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A policy for a server on loopback, with small limits. */
export function loopbackPolicy(allow: readonly string[], change: Partial<EgressPolicy> = {}): EgressPolicy {
  return {
    allow,
    allowPrivate: ['127.0.0.1/32'],
    redirects: 0,
    timeoutMs: 5_000,
    connectTimeoutMs: 2_000,
    maxResponseBytes: 64 * 1024,
    ...change,
  };
}

/** A GET which may start. */
export function get(url: string, policy: EgressPolicy, change: Partial<EgressRequest> = {}): EgressRequest {
  return {
    method: 'GET',
    url,
    headers: {},
    body: undefined,
    policy,
    sensitiveHeaders: [],
    signal: new AbortController().signal,
    mayStart: () => true,
    ...change,
  };
}
