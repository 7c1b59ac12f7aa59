/**
 * The fence around fastify: the REST door.
 *
 * 1. Every answer is one of ours: framework errors, unknown routes and broken HTTP become problem documents.
 * 2. Who asks, and whether it may ask now, is settled before a byte of the body is read.
 * 3. A place among the agent's calls in flight is given back when its call is answered, whatever its socket does.
 */
import type { Socket } from 'node:net';
import type { BusLog } from '@interlock/bus';
import { type AgentEntry, Fault } from '@interlock/contracts';
import type { Clock } from '@interlock/shell';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { z } from 'zod';
import { type Answer, answerDoubt, answerRefusal, faultOf } from './answer.ts';
import type { Asking } from './authzen.ts';
import { readIdempotencyKey } from './call-id.ts';
import type { Submission } from './calls.ts';
import type { Caps, Taken } from './caps.ts';
import { countAnswer } from './metrics.ts';
import { originOf } from './origin.ts';
import { BODY_BYTES, readRequest } from './request.ts';
import { isDocumented, methodsAt, type RouteName, routes } from './routes.ts';
import { traceCall } from './trace.ts';

/** Names, credentials and trace context of an agent fit many times over. */
const HEADER_BYTES = 16 * 1_024;
/** A whole request arrives within this; a slow loris does not. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How often late requests are looked for. */
const LATE_CHECK_MS = 1_000;
/** Longer than the longest answer takes: the call's limit, the longest claim, and the settling of an orphan. */
const SOCKET_TIMEOUT_MS = 200_000;
const KEEP_ALIVE_MS = 65_000;
const CONNECTIONS = 10_000;
/** How long requests that wait may still get their outcome; the process itself is given 15 s to drain. */
const DRAIN_MS = 10_000;
/** What the last answers may take to leave, and slow uploads to fail. */
const CUT_MS = 2_000;
const SWEEP_MS = 100;
/** An identifier has 64 characters; a longer one is told so by name. */
const PARAMETER_LENGTH = 256;
const CONTENT_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

const querySchema = z.strictObject({
  wait: z
    .string()
    .regex(/^([0-9]|[12][0-9]|30)$/, 'must be 0 to 30')
    .default('0')
    .transform((seconds) => Number(seconds) * 1_000),
});
const parametersSchema = z.object({ call: z.string() });

export interface ServerParts {
  authenticate: (authorization: string | undefined, nowMs: number) => AgentEntry;
  /** Calls, and everything else an agent may ask, are capped apart: looking does not use up calling. */
  callCaps: Caps;
  lookCaps: Caps;
  evaluateCaps: Caps;
  onFlood: (agentKey: string, agent: AgentEntry) => void;
  submit: (submission: Submission) => Promise<Answer>;
  look: (agent: AgentEntry, call: string, waitMs: number) => Promise<Answer>;
  evaluate: (body: Buffer, asking: Asking, batch: 'one' | 'many') => Promise<Answer>;
  /** What enforcement points read first, given the address of this door. */
  describeDecisionPoint: (listening: string) => object;
  listTools: () => object[];
  description: object;
  clock: Clock;
  log: BusLog;
}

interface Visit {
  agent: AgentEntry;
  arrivedMs: number;
  release: () => void;
  /** True from when the handler gives the place back, and not the socket. */
  handled: boolean;
  /** Aborted when the agent hangs up before it is answered. */
  gone: AbortController;
}

export interface Server {
  app: FastifyInstance;
  /**
   * Stops taking requests and resolves when those under way are answered. After `DRAIN_MS` it calls `giveUp`, so that
   * what still waits is answered with what is known; what is open even then is cut.
   */
  drain: (giveUp: () => void) => Promise<void>;
}

/** Builds the door. It does not listen yet. */
export function buildServer(parts: ServerParts): Server {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    connectionTimeout: SOCKET_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxRequestsPerSocket: 0,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: PARAMETER_LENGTH, ignoreTrailingSlash: false, caseSensitive: true },
    http: {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LATE_CHECK_MS,
      // Its own answer to a missing Host has no body; every route answers the same under any name.
      requireHostHeader: false,
    },
    frameworkErrors: (error, _request, reply) =>
      void send(reply, undefined, answerRefusal(faultOf(error)), parts.log),
    clientErrorHandler: answerBrokenHttp,
  });
  app.server.maxConnections = CONNECTIONS;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  let closing = false;
  app.addHook('onRequest', async (request, reply) => {
    // What is nowhere is told before a byte of the body is read.
    if (request.is404) return await answerNowhere(request, reply, parts.log);
    if (request.method === 'POST' && request.routeOptions.url === '/v1/calls')
      names.set(request, 'POST /v1/calls');
    if (!closing) return;
    reply.header('connection', 'close');
    throw new Fault('dependency_unavailable', { detail: 'This door is closing. Nothing was done.' });
  });
  app.setErrorHandler((thrown, request, reply) => answerThrown(thrown, request, reply, parts.log));
  app.setNotFoundHandler((request, reply) => answerNowhere(request, reply, parts.log));
  addRoutes(app, parts);
  return {
    app,
    drain: async (giveUp) => {
      closing = true;
      await close(app, giveUp);
    },
  };
}

async function close(app: FastifyInstance, giveUp: () => void): Promise<void> {
  // A connection that was answered after closing began is idle, and would stay open for its keep-alive time.
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
  const late = setTimeout(giveUp, DRAIN_MS);
  const cut = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS + CUT_MS);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
    clearTimeout(late);
    clearTimeout(cut);
  }
}

const names = new WeakMap<FastifyRequest, RouteName>();

function addRoutes(app: FastifyInstance, parts: ServerParts): void {
  const visits = new WeakMap<FastifyRequest, Visit>();
  const admit = (name: RouteName, caps: Caps) => async (request: FastifyRequest, reply: FastifyReply) => {
    names.set(request, name);
    const visit = enter(request, caps, parts);
    visits.set(request, visit);
    reply.raw.once('close', () => {
      if (!reply.raw.writableEnded) visit.gone.abort();
      if (!visit.handled) visit.release();
    });
    if (routes[name].method === 'POST') checkContentType(request);
  };
  const visited = async (
    request: FastifyRequest,
    reply: FastifyReply,
    answer: (visit: Visit) => Promise<Answer> | Answer,
  ) => {
    const visit = visits.get(request);
    if (visit === undefined) throw new Fault('key_missing');
    visit.handled = true;
    try {
      await send(reply, names.get(request), await answer(visit), parts.log);
    } finally {
      visit.release();
    }
  };
  app.post('/v1/calls', {
    onRequest: admit('POST /v1/calls', parts.callCaps),
    handler: (request, reply) => visited(request, reply, (visit) => postCall(request, visit, parts)),
  });
  app.get('/v1/calls/:call', {
    onRequest: admit('GET /v1/calls/{call}', parts.lookCaps),
    handler: (request, reply) => visited(request, reply, ({ agent }) => getCall(request, agent, parts)),
  });
  app.get('/v1/tools', {
    onRequest: admit('GET /v1/tools', parts.lookCaps),
    handler: (request, reply) => visited(request, reply, () => plain({ tools: parts.listTools() })),
  });
  for (const [name, batch] of evaluationRoutes) {
    app.post(routes[name].url, {
      onRequest: admit(name, parts.evaluateCaps),
      handler: (request, reply) => visited(request, reply, (visit) => ask(request, visit, parts, batch)),
    });
  }
  app.get('/.well-known/authzen-configuration', async (request, reply) => {
    const name = 'GET /.well-known/authzen-configuration';
    names.set(request, name);
    await send(reply, name, plain(parts.describeDecisionPoint(listeningAt(app))), parts.log);
  });
  app.get('/openapi.json', async (request, reply) => {
    names.set(request, 'GET /openapi.json');
    await send(reply, 'GET /openapi.json', plain(parts.description), parts.log);
  });
}

const evaluationRoutes = [
  ['POST /access/v1/evaluation', 'one'],
  ['POST /access/v1/evaluations', 'many'],
] as const;

/** What identifies a request to an enforcement point is told back as it came (AuthZEN 1.0, section 10.1.3). */
const REQUEST_ID = /^[\x21-\x7E]{1,128}$/;

async function ask(
  request: FastifyRequest,
  { agent, arrivedMs }: Visit,
  { evaluate, evaluateCaps }: ServerParts,
  batch: 'one' | 'many',
): Promise<Answer> {
  const spend = (questions: number) => {
    const retryAfterMs = evaluateCaps.spend(keyOf(agent), agent.caps, questions, arrivedMs);
    if (retryAfterMs !== undefined) throw new Flooded(agent.caps, retryAfterMs);
  };
  const asking = { asker: agent, origin: originOf(request.socket.remoteAddress), spend };
  const answer = await evaluate(bodyOf(request), asking, batch);
  const id = request.headers['x-request-id'];
  if (typeof id !== 'string' || !REQUEST_ID.test(id)) return answer;
  return { ...answer, headers: { ...answer.headers, 'x-request-id': id } };
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return body instanceof Buffer ? body : Buffer.alloc(0);
}

function listeningAt(app: FastifyInstance): string {
  const at = app.addresses().find((one) => typeof one !== 'string');
  if (at === undefined) throw new Fault('dependency_unavailable');
  return `http://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`;
}

async function postCall(request: FastifyRequest, visit: Visit, parts: ServerParts): Promise<Answer> {
  return await traceCall(request.headers, async (name) => {
    const idempotencyKey = readIdempotencyKey(request.headers['idempotency-key']);
    const asked = readRequest(bodyOf(request));
    name(asked.tool);
    const { agent, arrivedMs, gone } = visit;
    const origin = originOf(request.socket.remoteAddress);
    return await parts.submit({ agent, asked, idempotencyKey, origin, arrivedMs, gone: gone.signal });
  });
}

async function getCall(request: FastifyRequest, agent: AgentEntry, parts: ServerParts): Promise<Answer> {
  const { call } = parametersSchema.parse(request.params);
  const query = querySchema.safeParse(request.query);
  if (!query.success)
    throw new Fault('query_invalid', { detail: 'Only wait is known here: 0 to 30, in seconds.' });
  return await parts.look(agent, call, query.data.wait);
}

/** Settles who asks and takes a place among its requests in flight. */
function enter(request: FastifyRequest, caps: Caps, parts: ServerParts): Visit {
  const { authenticate, clock, callCaps, onFlood } = parts;
  const agent = authenticate(request.headers.authorization, clock.nowMs());
  const agentKey = keyOf(agent);
  const arrivedMs = clock.monotonicMs();
  const taken: Taken = caps.take(agentKey, agent.caps, arrivedMs);
  if (taken.taken)
    return { agent, arrivedMs, release: taken.release, handled: false, gone: new AbortController() };
  if (caps === callCaps) onFlood(agentKey, agent);
  throw new Flooded(agent.caps, taken.retryAfterMs);
}

function keyOf({ tenant, agent }: AgentEntry): string {
  return `${tenant}.${agent}`;
}

/** A refusal by the agent's own caps, which it is told. */
class Flooded extends Fault {
  readonly policy: string;

  constructor({ burst, ratePerSecond }: AgentEntry['caps'], retryAfterMs: number) {
    super('agent_flood', { retryAfterMs, rule: 'agent' });
    this.policy = `"agent";q=${burst};w=${Math.max(1, Math.ceil(burst / ratePerSecond))}`;
  }
}

function checkContentType({ headers }: FastifyRequest): void {
  if (CONTENT_TYPE.test(headers['content-type'] ?? '')) return;
  throw new Fault('content_type_unsupported');
}

function plain(body: object): Answer {
  return { status: 200, mediaType: 'application/json', body, headers: {} };
}

async function answerThrown(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: BusLog,
): Promise<void> {
  const fault = faultOf(thrown);
  const route = names.get(request);
  if (fault.code === 'internal') log.error({ err: thrown, route }, 'a request failed');
  // docs/decisions/008
  const isDoubtful = fault.code === 'dependency_unavailable' && 'idempotency-key' in request.headers;
  const answer = isDoubtful && route === 'POST /v1/calls' ? answerDoubt() : answerRefusal(fault);
  if (fault instanceof Flooded) answer.headers['ratelimit-policy'] = fault.policy;
  await send(reply, route, answer, log);
}

async function answerNowhere(request: FastifyRequest, reply: FastifyReply, log: BusLog): Promise<void> {
  const methods = methodsAt(request.url.split('?', 1)[0] ?? '');
  if (methods === undefined)
    return await send(reply, undefined, answerRefusal(new Fault('route_unknown')), log);
  const answer = answerRefusal(new Fault('method_not_allowed'));
  answer.headers['allow'] = methods.join(', ');
  await send(reply, undefined, answer, log);
}

async function send(
  reply: FastifyReply,
  route: RouteName | undefined,
  answer: Answer,
  log: BusLog,
): Promise<void> {
  let shown = answer;
  if (route !== undefined && !isDocumented(route, answer.status)) {
    log.error(
      { route, status: answer.status },
      'an answer was not sent because its status is not documented',
    );
    shown = answerRefusal(new Fault('internal'));
  }
  countAnswer(route ?? 'none', shown.status, reply.elapsedTime);
  await reply
    .status(shown.status)
    .headers({ 'cache-control': 'no-store', ...shown.headers, 'content-type': shown.mediaType })
    // As bytes, since fastify adds a charset to texts, which these media types do not have.
    .send(Buffer.from(JSON.stringify(shown.body)));
}

/** Answers what never became a request: broken HTTP, headers that are too large, a request that does not arrive. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'header_invalid';
  const answer = answerRefusal(new Fault(code));
  const body = JSON.stringify(answer.body);
  socket.end(
    `HTTP/1.1 ${answer.status} ${code === 'request_timeout' ? 'Request Timeout' : 'Bad Request'}\r\n` +
      `content-type: ${answer.mediaType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
