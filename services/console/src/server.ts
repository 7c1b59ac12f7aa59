/**
 * The fence around fastify: the HTTP server of the management API.
 *
 * M1. Every route names the roles that may use it.
 * M2. A request is accepted only under a host name that belongs to this server: a web page in a person's browser cannot
 *     reach it through a name of its own that was made to point here (DNS rebinding).
 * M3. What has two meanings is refused, and what is sent slowly is cut (packages/shell/src/strict-http.ts).
 */
import type { Socket } from 'node:net';
import { Fault, type PersonEntry, problemOf } from '@interlock/contracts';
import {
  CONNECTIONS_PER_ADDRESS,
  cutUnreadRequests,
  endConnection,
  headMistake,
  limitConnections,
} from '@interlock/shell';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ListenAddress } from './config.ts';
import type { Management } from './management.ts';
import { authenticate, type ConsoleRole, requireRole } from './people.ts';
import { faultOf } from './problem.ts';

const BODY_BYTES = 1_048_576;
/** Longer than the slowest operation, which is a check of the whole audit trail. */
const REQUEST_TIMEOUT_MS = 120_000;
/** Much more than the headers of a person's request need, and how long they may take to arrive. */
const HEADER_BYTES = 16 * 1_024;
const HEADERS_TIMEOUT_MS = 10_000;
/** How often late requests are searched for. */
const LATE_CHECK_MS = 1_000;

/** A request of an authenticated person. `params`, `query` and `body` are not parsed yet. */
export interface PersonRequest {
  readonly person: PersonEntry;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly url: string;
  /** Who may use the route besides an admin (M1); `person` is every known person, and the route itself checks further. */
  readonly roles: readonly ConsoleRole[] | 'person';
  readonly bodyBytes?: number;
  /** The media type of an answer that is not JSON: the route then returns a stream. */
  readonly mediaType?: string;
  readonly answer: (visit: PersonRequest) => Promise<object>;
}

export interface ServerOptions {
  readonly management: Pick<Management, 'people' | 'log'>;
  readonly routes: readonly Route[];
  /** Further host names of this server, with their port. */
  readonly hosts: readonly string[];
}

/** Builds the server with its routes. It does not listen yet. */
export function buildServer({ management, routes, hosts }: ServerOptions): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A running operation is finished; idle connections are closed.
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    http: {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LATE_CHECK_MS,
      // Node's own answer to a missing Host has no body: M3 looks for it.
      requireHostHeader: false,
    },
    clientErrorHandler: answerBrokenHttp,
  });
  // M3
  limitConnections(server.server, CONNECTIONS_PER_ADDRESS);
  cutUnreadRequests(server.server);
  server.addHook('onRequest', async (request, reply) => {
    const mistake = headMistake(request.raw);
    if (mistake === undefined) return checkHost(request, hosts);
    reply.header('connection', 'close');
    throw new Fault('header_invalid', { detail: mistake });
  });
  server.setErrorHandler((thrown, request, reply) => answerFault(thrown, request, reply, management));
  server.setNotFoundHandler(() => {
    throw new Fault('route_unknown');
  });
  for (const route of routes) addRoute(server, route, management);
  return server;
}

/** Starts listening and returns the server's URL. */
export async function listen(server: FastifyInstance, address: ListenAddress): Promise<string> {
  return await server.listen({ host: address.host, port: address.port });
}

function addRoute(server: FastifyInstance, route: Route, { people }: Pick<Management, 'people'>): void {
  const persons = new WeakMap<FastifyRequest, PersonEntry>();
  server.route({
    method: route.method,
    url: route.url,
    ...(route.bodyBytes === undefined ? {} : { bodyLimit: route.bodyBytes }),
    // The person is authenticated before a byte of the body is read.
    onRequest: async (request) => {
      const person = authenticate(request.headers.authorization, people);
      // M1
      if (route.roles !== 'person') requireRole(person, route.roles);
      persons.set(request, person);
    },
    handler: async (request, reply) => {
      const person = persons.get(request);
      if (person === undefined) throw new Fault('token_missing');
      const { params, query, body } = request;
      reply.header('cache-control', 'no-store');
      if (route.mediaType !== undefined) reply.type(route.mediaType);
      return await route.answer({ person, params, query, body });
    },
  });
}

/** M2 */
function checkHost(request: FastifyRequest, hosts: readonly string[]): void {
  const { localAddress, localPort } = request.socket;
  const names = ['127.0.0.1', 'localhost', '[::1]', localAddress];
  const known = [...names.map((name) => `${name}:${localPort}`), ...hosts];
  const { host, origin } = request.headers;
  if (host === undefined || !known.includes(host.toLowerCase()))
    throw new Fault('header_invalid', { detail: 'This host name does not belong to the management API.' });
  if (
    origin !== undefined &&
    !known.some((name) => origin === `http://${name}` || origin === `https://${name}`)
  )
    throw new Fault('header_invalid', {
      detail: 'The management API accepts no requests from pages of this origin.',
    });
}

/** Answers what did not become a request. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(new Fault('header_invalid')));
  endConnection(
    socket,
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

async function answerFault(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { log }: Pick<Management, 'log'>,
): Promise<void> {
  const fault = faultOf(thrown);
  if (fault.status >= 500)
    log.error(
      { err: fault, method: request.method, route: request.routeOptions.url },
      'a management request failed',
    );
  await reply
    .status(fault.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(fault)));
}
