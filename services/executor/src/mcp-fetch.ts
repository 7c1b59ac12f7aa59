/**
 * Streamable HTTP through egress. The MCP client knows one `fetch` per connection; which call a request belongs to,
 * and so its credential and its guard, comes from the asynchronous context it is made in.
 *
 * F1. A credential goes to the origin it was leased for and nowhere else.
 * F2. `tools/call` passes the guard, once per call. A second one is refused.
 * F3. Answers are read whole, within their limit: there is no standing stream, and GET is answered 405 here.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Fault } from '@interlock/contracts';
import { type EgressPolicy, type EgressResponse, headerValue } from '@interlock/egress';
import type { Secret } from '@interlock/keys';
import type { HttpRequest } from '@interlock/request';
import { z } from 'zod';
import { type HttpParts, headersWith, type ToolRequest } from './http.ts';
import { injectLease } from './http-request.ts';
import { type Answered, answerOf, eventsIn, type RequestId, type ToolAnswer } from './mcp-answer.ts';

/** The call for which requests are made, and what is learned on the way. */
export interface McpExchange {
  toolRequest: ToolRequest | undefined;
  /** True once `tools/call` was given to egress. */
  called: boolean;
  /** Status of the answer to `tools/call`. */
  status: number | undefined;
  /** What the server answered to `tools/call`, as it wrote it. */
  answer: ToolAnswer | undefined;
  /** What must be kept out of the answer. */
  secrets: readonly Secret[];
}

/** Runs work so that the requests it makes belong to an exchange. */
export function withExchange<T>(exchange: McpExchange, work: () => Promise<T>): Promise<T> {
  return exchanges.run(exchange, work);
}

/** Returns the exchange that is under way; undefined outside of any. */
export function currentExchange(): McpExchange | undefined {
  return exchanges.getStore();
}

const exchanges = new AsyncLocalStorage<McpExchange>();
const messageSchema = z.object({
  method: z.string().optional(),
  id: z.union([z.string(), z.number()]).optional(),
});
const METHOD_NOT_ALLOWED = 405;
const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';
/** Statuses that have no content: `Response` refuses one (Fetch §2.2.3). */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);

/** Makes the `fetch` of one connection, under its egress policy and with its fixed headers; those of the protocol count. */
export function createMcpFetch(
  policy: EgressPolicy,
  fixed: Readonly<Record<string, string>>,
  parts: HttpParts,
) {
  return async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const method = init.method ?? 'GET';
    // F3
    if (method === 'GET') return new Response(null, { status: METHOD_NOT_ALLOWED });
    const exchange = exchanges.getStore();
    if (exchange === undefined)
      throw new Fault('internal', { detail: 'An MCP client made a request outside of any call.' });
    if (method !== 'POST' && method !== 'DELETE')
      throw new Fault('internal', {
        detail: 'An MCP client used an HTTP method that the protocol does not have.',
      });
    const body = init.body === undefined || init.body === null ? undefined : Buffer.from(textOf(init.body));
    const request = {
      method,
      url: String(url),
      headers: { ...lowerCase(fixed), ...headersOf(init.headers) },
      body,
    } as const;
    return await send(request, exchange, { policy, parts, signal: init.signal ?? undefined });
  };
}

interface Sending {
  policy: EgressPolicy;
  parts: HttpParts;
  signal: AbortSignal | undefined;
}

async function send(plain: HttpRequest, exchange: McpExchange, sending: Sending): Promise<Response> {
  const { toolRequest } = exchange;
  const message = messageOf(plain.body);
  const isCall = message?.method === 'tools/call';
  // F2
  if (isCall && exchange.called) throw new Fault('egress_broken', { detail: 'A call is not sent twice.' });
  if (isCall) exchange.called = true;
  const injected =
    toolRequest?.lease === undefined
      ? undefined
      : await injectLease(plain, toolRequest.lease, sending.parts.nowMs());
  const request = injected?.request ?? plain;
  exchange.secrets = injected?.secrets ?? exchange.secrets;
  const answer = await sending.parts.egress.request({
    ...request,
    headers:
      toolRequest === undefined ? request.headers : headersWith(request, toolRequest.identity, sending.parts),
    policy: sending.policy,
    sensitiveHeaders: injected?.sensitiveHeaders ?? [],
    secrets: exchange.secrets,
    signal: signalOf(sending.signal, toolRequest?.signal),
    mayStart: () => !isCall || toolRequest === undefined || toolRequest.guard.maySend(),
  });
  if (!isCall) return responseOf(answer);
  exchange.status = answer.status;
  const answered = message.id === undefined ? undefined : answeredIn(answer, message.id);
  if (answered === undefined) return responseOf(answer);
  exchange.answer = answered.answer;
  return responseOf({
    ...answer,
    headers: [...answer.headers.filter(([name]) => name !== 'content-type'), ['content-type', JSON_TYPE]],
    body: Buffer.from(answered.standIn),
  });
}

/** The answer to a request: the body, or one of the events in it. */
function answeredIn({ headers, body }: EgressResponse, wanted: RequestId): Answered | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const isStream = headerValue(headers, 'content-type')?.toLowerCase().startsWith(STREAM_TYPE) === true;
  for (const message of isStream ? eventsIn(text) : [text.replace(/^\uFEFF/, '')]) {
    const answered = answerOf(message, (id) => id === wanted);
    if (answered !== undefined) return answered;
  }
  return undefined;
}

function responseOf({ status, headers, body }: Omit<EgressResponse, 'url' | 'redirects'>): Response {
  const content = WITHOUT_CONTENT.has(status) || body.byteLength === 0 ? null : Buffer.from(body);
  return new Response(content, { status, headers: headers.map(([name, value]) => [name, value]) });
}

function signalOf(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

function headersOf(init: RequestInit['headers']): Record<string, string> {
  return Object.fromEntries(new Headers(init).entries());
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  throw new Fault('internal', { detail: 'An MCP message is a text.' });
}

/** What a JSON-RPC message is about; undefined where there is none. */
function messageOf(body: Uint8Array | undefined): z.infer<typeof messageSchema> | undefined {
  return body === undefined ? undefined : messageSchema.parse(JSON.parse(Buffer.from(body).toString('utf8')));
}
