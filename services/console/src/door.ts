/**
 * The management door.
 *
 * 1. Every route names the roles it is for; there is no route without.
 * 2. A request is taken only under a host name the door knows itself by, so that a page in somebody's browser
 *    cannot reach it through a name that was made to point here.
 */
import { Fault, type PersonEntry, problemOf } from '@interlock/contracts';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ListenAddress } from './config.ts';
import type { Management } from './management.ts';
import { authenticate, type ConsoleRole, requireRole } from './people.ts';
import { faultOf } from './problem.ts';

const BODY_BYTES = 1_048_576;
/** Longer than the slowest act, which is a check of the whole audit trail. */
const REQUEST_TIMEOUT_MS = 120_000;

/** A request by somebody known. `params`, `query` and `body` are still to be parsed. */
export interface Visit {
  readonly person: PersonEntry;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly url: string;
  /** Who may ask, besides an admin; `person` is anybody who is known, and the route looks closer itself. */
  readonly roles: readonly ConsoleRole[] | 'person';
  readonly bodyBytes?: number;
  /** What the answer is, where it is not JSON: the route then returns a stream of it. */
  readonly mediaType?: string;
  readonly answer: (visit: Visit) => Promise<object>;
}

export interface DoorOptions {
  readonly management: Pick<Management, 'people' | 'log'>;
  readonly routes: readonly Route[];
  /** Host names with their port, besides the address itself. */
  readonly hosts: readonly string[];
}

/** Builds the door with its routes. It listens when `openDoor` says where. */
export function buildDoor({ management, routes, hosts }: DoorOptions): FastifyInstance {
  const door = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // An act that is under way is finished; connections that only wait are closed.
    forceCloseConnections: 'idle',
    return503OnClosing: true,
  });
  door.addHook('onRequest', async (request) => checkHost(request, hosts));
  door.setErrorHandler((thrown, request, reply) => answerFault(thrown, request, reply, management));
  door.setNotFoundHandler(() => {
    throw new Fault('route_unknown');
  });
  for (const route of routes) addRoute(door, route, management);
  return door;
}

/** Starts listening and returns the door's URL. */
export async function openDoor(door: FastifyInstance, address: ListenAddress): Promise<string> {
  return await door.listen({ host: address.host, port: address.port });
}

function addRoute(door: FastifyInstance, route: Route, { people }: Pick<Management, 'people'>): void {
  const persons = new WeakMap<FastifyRequest, PersonEntry>();
  door.route({
    method: route.method,
    url: route.url,
    ...(route.bodyBytes === undefined ? {} : { bodyLimit: route.bodyBytes }),
    // Who asks is settled before a byte of the body is read.
    onRequest: async (request) => {
      const person = authenticate(request.headers.authorization, people);
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

function checkHost(request: FastifyRequest, hosts: readonly string[]): void {
  const { localAddress, localPort } = request.socket;
  const names = ['127.0.0.1', 'localhost', '[::1]', localAddress];
  const known = [...names.map((name) => `${name}:${localPort}`), ...hosts];
  const { host, origin } = request.headers;
  if (host === undefined || !known.includes(host.toLowerCase()))
    throw new Fault('header_invalid', { detail: 'The management door is not known under this host name.' });
  if (
    origin !== undefined &&
    !known.some((name) => origin === `http://${name}` || origin === `https://${name}`)
  )
    throw new Fault('header_invalid', { detail: 'The management door takes nothing from this origin.' });
}

async function answerFault(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { log }: Pick<Management, 'log'>,
): Promise<void> {
  const fault = faultOf(thrown);
  if (fault.status >= 500)
    log.error({ err: fault, method: request.method, route: request.routeOptions.url }, 'an act failed');
  await reply
    .status(fault.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(fault)));
}
