/**
 * Streamable HTTP as the MCP client speaks it, in the shape of one request.
 *
 * F1. Answers are read whole, within their limit: there is no standing stream, and GET is answered 405 here.
 */
import { Fault } from '@interlock/contracts';
import { type EgressResponse, headerValue } from '@interlock/egress';
import { z } from 'zod';
import { type Answered, answerOf, currentSlot, eventsIn, type RequestId } from './answer.ts';

/** One request of the client to its server. */
export interface McpRequest {
  method: 'POST' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body: Uint8Array | undefined;
  /** The method of the JSON-RPC message in the body; undefined for an answer, and where there is none. */
  message: string | undefined;
}

type Answer = Pick<EgressResponse, 'status' | 'headers' | 'body'>;
type Send = (request: McpRequest, signal: AbortSignal | undefined) => Promise<Answer>;

const messageSchema = z.object({
  method: z.string().optional(),
  id: z.union([z.string(), z.number()]).optional(),
});
const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';
const METHOD_NOT_ALLOWED = 405;
/** Statuses that have no content: `Response` refuses one (Fetch §2.2.3). */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);

/** Makes the `fetch` of one connection with its fixed headers; those of the protocol count. */
export function mcpFetch(fixed: Readonly<Record<string, string>>, send: Send) {
  return async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const method = init.method ?? 'GET';
    // F1
    if (method === 'GET') return new Response(null, { status: METHOD_NOT_ALLOWED });
    if (method !== 'POST' && method !== 'DELETE')
      throw new Fault('internal', {
        detail: 'An MCP client used an HTTP method that the protocol does not have.',
      });
    const body = init.body === undefined || init.body === null ? undefined : Buffer.from(textOf(init.body));
    const headers = { ...lowerCase(fixed), ...Object.fromEntries(new Headers(init.headers).entries()) };
    const message = messageOf(body);
    const request = { method, url: String(url), headers, body, message: message?.method } as const;
    const answer = await send(request, init.signal ?? undefined);
    return responseOf(message?.method === 'tools/call' ? withStandIn(answer, message.id) : answer);
  };
}

/** The `fetch` of a local server, which has no HTTP connection. */
export function refuseFetch(): Promise<Response> {
  return Promise.reject(new Fault('internal', { detail: 'A local MCP server has no HTTP connection.' }));
}

/** Keeps the answer to a call as it came, and returns the one that the client gets instead. */
function withStandIn(answer: Answer, id: RequestId | undefined): Answer {
  const slot = currentSlot();
  const answered = id === undefined || slot === undefined ? undefined : answeredIn(answer, id);
  if (answered === undefined || slot === undefined) return answer;
  slot.answer = answered.answer;
  return {
    status: answer.status,
    headers: [...answer.headers.filter(([name]) => name !== 'content-type'), ['content-type', JSON_TYPE]],
    body: Buffer.from(answered.standIn),
  };
}

/** The answer to a request: the body, or one of the events in it. */
function answeredIn({ headers, body }: Answer, wanted: RequestId): Answered | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const isStream = headerValue(headers, 'content-type')?.toLowerCase().startsWith(STREAM_TYPE) === true;
  for (const message of isStream ? eventsIn(text) : [text.replace(/^\uFEFF/, '')]) {
    const answered = answerOf(message, (id) => id === wanted);
    if (answered !== undefined) return answered;
  }
  return undefined;
}

function responseOf({ status, headers, body }: Answer): Response {
  const content = WITHOUT_CONTENT.has(status) || body.byteLength === 0 ? null : Buffer.from(body);
  return new Response(content, { status, headers: headers.map(([name, value]) => [name, value]) });
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
