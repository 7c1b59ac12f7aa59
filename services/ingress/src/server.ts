/**
 * The fence around fastify: the HTTP server of the agents' API.
 *
 * H1. Every answer is one of ours: framework errors, unknown routes and broken HTTP become problem documents, and an
 *     answer that the description does not name is not sent.
 * H2. The agent is authenticated and counted against its caps before a byte of the body is read.
 * H3. A request counts as in flight until it is answered, whatever its socket does.
 * H4. What has two meanings is refused, and what is sent slowly is cut (packages/shell/src/strict-http.ts).
 */
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import type { BusLog } from '@interlock/bus';
import { type AgentEntry, Fault, idSchema } from '@interlock/contracts';
import {
  type Clock,
  cutUnreadRequests,
  endConnection,
  headMistake,
  limitConnections,
  PROOF_PATH,
} from '@interlock/shell';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { z } from 'zod';
import {
  type AdmissionParts,
  type Admitted,
  admit,
  type CapKind,
  Flooded,
  spendEvaluations,
} from './admission.ts';
import { type Answer, answerDoubt, answerRefusal, answerUnread, faultOf } from './answer.ts';
import type { Asking } from './authzen.ts';
import { readIdempotencyKey } from './call-id.ts';
import type { Submission } from './calls.ts';
import { countAnswer } from './metrics.ts';
import { originOf } from './origin.ts';
import { BODY_BYTES, readRequest } from './request.ts';
import { isDocumented, methodsAt, type RouteName, routeNames, routes } from './routes.ts';
import { traceCall } from './trace.ts';

/** Much more than the names, the key and the trace context of an agent need. */
const HEADER_BYTES = 16 * 1_024;
/** Limits for the headers and for the whole request, against clients that send slowly on purpose. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How often late requests are searched for. */
const LATE_CHECK_MS = 1_000;
/** Longer than the longest answer takes: the call's limit, the longest claim, and the settling of an orphan. */
const SOCKET_TIMEOUT_MS = 200_000;
const KEEP_ALIVE_MS = 65_000;
const CONNECTIONS = 10_000;
/** How long requests that wait may still get their outcome; the process itself is given 15 s to drain. */
const DRAIN_MS = 10_000;
/** After that, how long the last answers may take to be sent, and slow uploads to fail. */
const CUT_MS = 2_000;
const SWEEP_MS = 100;
/** For this long clients may find out from an answer that their connection ends, before idle ones are closed. */
const FAREWELL_MS = 1_000;
/** An identifier has 64 characters; a longer one than this gets its own error. */
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

export interface ServerParts extends AdmissionParts {
  submit: (submission: Submission) => Promise<Answer>;
  lookUp: (agent: AgentEntry, call: string, waitMs: number) => Promise<Answer>;
  evaluate: (body: Buffer, asking: Asking, batch: 'one' | 'many') => Promise<Answer>;
  /** The metadata that enforcement points read first, given the address this server listens at. */
  describeDecisionPoint: (listening: string) => object;
  listTools: (agent: AgentEntry) => Promise<object[]>;
  /** Signs that this is ingress, for who asked over this connection. */
  prove: (asked: Pick<FastifyRequest, 'query' | 'socket'>) => object;
  description: object;
  connectionsPerAddress: number;
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  log: BusLog;
}

/** A request of an authenticated agent. */
interface AgentRequest extends Admitted {
  /** True from when the handler releases it, and no longer the closing of the socket. */
  handled: boolean;
  /** Aborted when the agent closes the connection before it is answered. */
  closed: AbortController;
}

export interface Server {
  app: FastifyInstance;
  /**
   * Answers what comes over open connections and closes each with its answer, takes no new ones after `FAREWELL_MS`, and
   * resolves when all are closed. After `DRAIN_MS` it calls `giveUp`, so that requests that still wait are answered with
   * what is known, and refuses others; connections that are open even then are cut.
   */
  drain: (giveUp: () => void) => Promise<void>;
}

/** Builds the server. It does not listen yet. */
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
      // Node's own answer to a missing Host has no body: H4 looks for it.
      requireHostHeader: false,
    },
    frameworkErrors: (error, request, reply) =>
      void send(request, reply, answerRefusal(faultOf(error)), parts),
    clientErrorHandler: answerBrokenHttp,
  });
  app.server.maxConnections = CONNECTIONS;
  // H4
  limitConnections(app.server, parts.connectionsPerAddress);
  cutUnreadRequests(app.server);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  let leaving: 'no' | 'answering' | 'refusing' = 'no';
  app.addHook('onRequest', async (request, reply) => {
    received.set(request, { route: routeOf(request), arrivedMs: parts.clock.monotonicMs() });
    const mistake = headMistake(request.raw); // H4
    if (mistake !== undefined) {
      reply.header('connection', 'close');
      throw new Fault('header_invalid', { detail: mistake });
    }
    // An unknown address is answered before a byte of the body is read.
    if (request.is404) return await answerUnknownRoute(request, reply, parts);
    if (leaving === 'refusing')
      throw new Fault('dependency_unavailable', {
        detail: 'This ingress is shutting down. Nothing was done.',
      });
  });
  app.addHook('onSend', async (_request, reply) => {
    if (leaving !== 'no') reply.header('connection', 'close');
  });
  app.setErrorHandler((thrown, request, reply) => answerThrown(thrown, request, reply, parts));
  app.setNotFoundHandler((request, reply) => answerUnknownRoute(request, reply, parts));
  addRoutes(app, parts);
  return {
    app,
    drain: async (giveUp) => {
      leaving = 'answering';
      await close(app, parts.clock, () => {
        leaving = 'refusing';
        giveUp();
      });
    },
  };
}

async function close(app: FastifyInstance, clock: ServerParts['clock'], giveUp: () => void): Promise<void> {
  // A client that is told with an answer that its connection ends sends nothing more over it. One whose connection were
  // closed without a word might be sending at that very moment.
  if ((await promisify(app.server.getConnections.bind(app.server))()) > 0) await clock.sleep(FAREWELL_MS);
  // A connection whose last answer was sent after closing began is idle, and would stay open for its keep-alive time.
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

/** Of each request: which route it is for, where it is for one, and when it arrived on the monotonic clock. */
const received = new WeakMap<FastifyRequest, { route: RouteName | undefined; arrivedMs: number }>();

function routeOf({ method, routeOptions, is404 }: FastifyRequest): RouteName | undefined {
  if (is404) return undefined;
  return routeNames.find((name) => routes[name].method === method && routes[name].url === routeOptions.url);
}

function addRoutes(app: FastifyInstance, parts: ServerParts): void {
  const requests = new WeakMap<FastifyRequest, AgentRequest>();
  const letIn = (kind: CapKind) => async (request: FastifyRequest, reply: FastifyReply) => {
    // H2
    const admitted = { ...admit(request, kind, parts), handled: false, closed: new AbortController() };
    requests.set(request, admitted);
    reply.raw.once('close', () => {
      if (!reply.raw.writableEnded) admitted.closed.abort();
      if (!admitted.handled) admitted.release();
    });
    if (request.method === 'POST') checkContentType(request);
  };
  const handle =
    (answer: (admitted: AgentRequest, request: FastifyRequest) => Promise<Answer> | Answer) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const admitted = requests.get(request);
      if (admitted === undefined) throw new Fault('key_missing');
      admitted.handled = true;
      try {
        await send(request, reply, await answer(admitted, request), parts);
      } finally {
        // H3
        admitted.release();
      }
    };
  app.post('/v1/calls', {
    onRequest: letIn('call'),
    handler: handle((admitted, request) => postCall(request, admitted, parts)),
  });
  app.get('/v1/calls/:call', {
    onRequest: letIn('lookUp'),
    handler: handle(({ agent }, request) => getCall(request, agent, parts)),
  });
  app.get('/v1/tools', {
    onRequest: letIn('lookUp'),
    handler: handle(async ({ agent }) => plain({ tools: await parts.listTools(agent) })),
  });
  for (const [url, batch] of evaluationRoutes)
    app.post(url, {
      onRequest: letIn('evaluate'),
      handler: handle((admitted, request) => postEvaluation(request, admitted, parts, batch)),
    });
  app.get('/.well-known/authzen-configuration', (request, reply) =>
    send(request, reply, plain(parts.describeDecisionPoint(listeningAt(app))), parts),
  );
  app.get(PROOF_PATH, (request, reply) => send(request, reply, plain(parts.prove(request)), parts));
  app.get('/openapi.json', (request, reply) => send(request, reply, plain(parts.description), parts));
}

const evaluationRoutes = [
  [routes['POST /access/v1/evaluation'].url, 'one'],
  [routes['POST /access/v1/evaluations'].url, 'many'],
] as const;

/** The id that an enforcement point gave its request is returned as it came (AuthZEN 1.0, section 10.1.3). */
const REQUEST_ID = /^[\x21-\x7E]{1,128}$/;

async function postEvaluation(
  request: FastifyRequest,
  admitted: AgentRequest,
  parts: ServerParts,
  batch: 'one' | 'many',
): Promise<Answer> {
  const spend = (evaluations: number) => spendEvaluations(admitted, evaluations, parts);
  const asking = { asker: admitted.agent, origin: originOf(request.socket.remoteAddress), spend };
  const answer = await parts.evaluate(bodyOf(request), asking, batch);
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

async function postCall(
  request: FastifyRequest,
  admitted: AgentRequest,
  parts: ServerParts,
): Promise<Answer> {
  return await traceCall(request.headers, async (name) => {
    const idempotencyKey = readIdempotencyKey(request.headers['idempotency-key']);
    const parsed = readRequest(bodyOf(request));
    name(parsed.tool);
    const { agent, arrivedMs, closed } = admitted;
    const origin = originOf(request.socket.remoteAddress);
    return await parts.submit({ agent, parsed, idempotencyKey, origin, arrivedMs, closed: closed.signal });
  });
}

async function getCall(request: FastifyRequest, agent: AgentEntry, parts: ServerParts): Promise<Answer> {
  const { call } = parametersSchema.parse(request.params);
  const query = querySchema.safeParse(request.query);
  if (!query.success)
    throw new Fault('query_invalid', { detail: 'The only parameter is wait: 0 to 30 seconds.' });
  return await parts.lookUp(agent, call, query.data.wait);
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
  parts: Pick<ServerParts, 'clock' | 'log'>,
): Promise<void> {
  const fault = faultOf(thrown);
  const route = received.get(request)?.route;
  if (fault.code === 'internal') parts.log.error({ err: thrown, route }, 'a request failed');
  const isOutage = fault.code === 'dependency_unavailable' || fault.code === 'overloaded';
  const answer = isOutage ? answerOutage(fault, request) : answerRefusal(fault);
  if (fault instanceof Flooded) answer.headers['ratelimit-policy'] = fault.policy;
  await send(request, reply, answer, parts);
}

/** Answers a request that met an outage, or was shed. 503 is only for what neither it nor an earlier request can have done. */
function answerOutage(fault: Fault, request: FastifyRequest): Answer {
  const route = received.get(request)?.route;
  // docs/decisions/008
  if (route === 'POST /v1/calls' && 'idempotency-key' in request.headers) return answerDoubt();
  if (route !== 'GET /v1/calls/{call}') return answerRefusal(fault);
  const { data: named } = parametersSchema.safeParse(request.params);
  return answerUnread(idSchema.safeParse(named?.call).data);
}

async function answerUnknownRoute(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: Pick<ServerParts, 'clock' | 'log'>,
): Promise<void> {
  const methods = methodsAt(request.url.split('?', 1)[0] ?? '');
  const answer = answerRefusal(new Fault(methods === undefined ? 'route_unknown' : 'method_not_allowed'));
  if (methods !== undefined) answer.headers['allow'] = methods.join(', ');
  await send(request, reply, answer, parts);
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
  { clock, log }: Pick<ServerParts, 'clock' | 'log'>,
): Promise<void> {
  const { route, arrivedMs } = received.get(request) ?? { route: undefined, arrivedMs: undefined };
  const sent = documented(route, answer, log);
  const elapsedMs = arrivedMs === undefined ? undefined : clock.monotonicMs() - arrivedMs;
  countAnswer(route ?? 'none', sent.status, elapsedMs);
  await reply
    .status(sent.status)
    .headers({ 'cache-control': 'no-store', ...sent.headers, 'content-type': sent.mediaType })
    // As bytes: fastify adds a charset to texts, which these media types do not have.
    .send(Buffer.from(JSON.stringify(sent.body)));
}

/** H1: returns the answer, or `internal` in its place where the description of its route does not name it. */
function documented(route: RouteName | undefined, answer: Answer, log: BusLog): Answer {
  if (route === undefined || isDocumented(route, answer)) return answer;
  const code = answer.mediaType === 'application/problem+json' ? answer.body.code : undefined;
  log.error(
    { route, status: answer.status, code },
    'did not send an answer that /openapi.json does not name',
  );
  return answerRefusal(new Fault('internal'));
}

/** Answers what did not become a request: broken HTTP, headers that are too large, a request that arrives too slowly. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'header_invalid';
  const answer = answerRefusal(new Fault(code));
  const body = JSON.stringify(answer.body);
  endConnection(
    socket,
    `HTTP/1.1 ${answer.status} ${code === 'request_timeout' ? 'Request Timeout' : 'Bad Request'}\r\n` +
      `content-type: ${answer.mediaType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
