/**
 * Streamable HTTP as the MCP client speaks it, in the shape of one request at a time.
 *
 * F1. There is no standing stream: GET is answered 405 here. An answer is read until it is there; what a server keeps open
 *     after it is closed.
 * F2. A stream that its server ends before the answer is resumed after its last event (2025-11-25), which sends nothing
 *     again.
 * F3. A session that its server forgot did nothing: `SessionLost` says so, and the caller may begin anew.
 * F4. Redirects within the origin are followed, method and body kept.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '@interlock/contracts';
import { type EgressResponse, type HeaderList, headerValue, type IsEnough } from '@interlock/egress';
import { z } from 'zod';
import { currentSlot, type RequestId, standInFor, standInForError, type Waiting } from './answer.ts';
import { EventReader } from './events.ts';

/** One request of the client to its server. */
export interface McpRequest {
  method: 'GET' | 'POST' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body: Uint8Array | undefined;
  /** The method of the JSON-RPC message in the body; undefined for an answer, and where there is none. */
  message: string | undefined;
  withinOrigin: true;
  isEnough: IsEnough;
}

/** How often a request is sent on within its origin. */
export const REDIRECTS_MAX = 2;

/** The server does not know the session any more. The request was refused, so nothing was done. */
export class SessionLost extends Fault {
  constructor() {
    super('upstream_failed', { detail: 'The upstream server has forgotten its session. Nothing was done.' });
  }
}

type Answer = Pick<EgressResponse, 'status' | 'headers' | 'body'>;
type Send = (request: McpRequest, signal: AbortSignal | undefined) => Promise<Answer>;

const messageSchema = z.object({
  method: z.string().optional(),
  id: z.union([z.string(), z.number()]).optional(),
});
const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';
const SESSION_HEADER = 'mcp-session-id';
const BAD_REQUEST = 400;
const NOT_FOUND = 404;
const METHOD_NOT_ALLOWED = 405;
/** Statuses that have no content: `Response` refuses one (Fetch §2.2.3). */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);
/** A server that ends its streams without an answer and without a new event is not asked for ever. */
const RESUMED_MAX = 32;
const RESUME_MS = { usual: 1_000, most: 10_000 } as const;

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
    const signal = init.signal ?? undefined;
    if (message?.id === undefined || message.method === undefined)
      return responseOf(await send({ ...request, withinOrigin: true, isEnough: () => false }, signal));
    return await exchange(request, {
      id: message.id,
      waiting: { method: message.method, slot: currentSlot() },
      ...{ send, signal },
    });
  };
}

/** The `fetch` of a local server, which has no HTTP connection. */
export function refuseFetch(): Promise<Response> {
  return Promise.reject(new Fault('internal', { detail: 'A local MCP server has no HTTP connection.' }));
}

interface Exchange {
  id: RequestId;
  waiting: Waiting;
  send: Send;
  signal: AbortSignal | undefined;
}

/** Sends a request and returns its answer, with the stand-in in its place. */
async function exchange(
  request: Omit<McpRequest, 'withinOrigin' | 'isEnough'>,
  { id, waiting, send, signal }: Exchange,
): Promise<Response> {
  const events = new EventReader();
  let standIn: string | undefined;
  let isOver = false;
  const take = (text: string): boolean => {
    standIn ??= standInFor(text, (other) => (other === id ? waiting : undefined))?.text;
    isOver ||= standIn !== undefined || isAnswer(text, id);
    return isOver;
  };
  const ask = async (asked: typeof request): Promise<Answer> => {
    let wasRead = false;
    const isEnough: IsEnough = (chunk, headers) => {
      wasRead = true;
      return isStream(headers) && events.read(chunk).some(take);
    };
    const answer = await send({ ...asked, withinOrigin: true, isEnough }, signal);
    // What was encoded is read whole, and a last event may lack its end.
    if (isEventStream(answer)) [...(wasRead ? [] : events.read(answer.body)), ...events.end()].some(take);
    return answer;
  };
  const answer = await ask(request);
  // F3
  if (isSessionLost(request, answer, id)) throw new SessionLost();
  if (!isEventStream(answer)) {
    const text = textIn(answer.body);
    take(text);
    if (answer.status >= BAD_REQUEST && waiting.slot?.kind === 'call')
      standIn ??= standInForError(text, id, waiting)?.text;
    return standIn === undefined ? responseOf(asJson(answer)) : jsonResponse(standIn, answer);
  }
  let whole = Buffer.from(answer.body);
  // F2
  for (let resumed = 0; !isOver && events.lastId !== undefined && resumed < RESUMED_MAX; resumed += 1) {
    await delay(Math.min(events.retryMs ?? RESUME_MS.usual, RESUME_MS.most), undefined, { signal });
    const more = await ask(resuming(request, events.lastId));
    if (!isEventStream(more)) break;
    whole = Buffer.concat([whole, more.body]);
  }
  return standIn === undefined ? responseOf({ ...answer, body: whole }) : jsonResponse(standIn, answer);
}

/** Asks for what a stream holds after an event. */
function resuming<R extends Omit<McpRequest, 'withinOrigin' | 'isEnough'>>(request: R, lastId: string): R {
  const headers = Object.entries(request.headers).filter(([name]) => !name.startsWith('content-'));
  return {
    ...request,
    method: 'GET',
    headers: { ...Object.fromEntries(headers), accept: STREAM_TYPE, 'last-event-id': lastId },
    body: undefined,
    message: undefined,
  };
}

/**
 * A client that makes no session never loses one. By the protocol that is 404; servers also answer 400 about the session,
 * which is no answer to the request itself: that may have been begun.
 */
function isSessionLost(
  { headers }: Pick<McpRequest, 'headers'>,
  { status, body }: Answer,
  id: RequestId,
): boolean {
  if (headers[SESSION_HEADER] === undefined) return false;
  const text = textIn(body);
  return status === NOT_FOUND || (status === BAD_REQUEST && /session/i.test(text) && !isAnswer(text, id));
}

function isEventStream({ status, headers }: Answer): boolean {
  return status < BAD_REQUEST && isStream(headers);
}

function isAnswer(text: string, id: RequestId): boolean {
  try {
    const message: unknown = JSON.parse(text);
    const { id: said, method } = messageSchema.safeParse(message).data ?? {};
    return method === undefined && said === id;
  } catch {
    return false;
  }
}

function isStream(headers: HeaderList): boolean {
  return headerValue(headers, 'content-type')?.toLowerCase().startsWith(STREAM_TYPE) === true;
}

/** Servers send messages under other media types, too. */
function asJson(answer: Answer): Answer {
  const isMessage = answer.body.byteLength > 0 && messageOf(answer.body) !== undefined;
  return isMessage ? { ...answer, headers: jsonHeaders(answer.headers) } : answer;
}

/** The stand-in is a success, whatever status the answer had; the session is in its headers. */
function jsonResponse(text: string, { headers }: Answer): Response {
  return responseOf({ status: 200, headers: jsonHeaders(headers), body: Buffer.from(text) });
}

function jsonHeaders(headers: HeaderList): HeaderList {
  return [...headers.filter(([name]) => !/^content-(type|length)$/.test(name)), ['content-type', JSON_TYPE]];
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

function textIn(body: Uint8Array): string {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  return text.replace(/^\uFEFF/, '');
}

/** What a JSON-RPC message is about; undefined where there is none. */
function messageOf(body: Uint8Array | undefined): z.infer<typeof messageSchema> | undefined {
  if (body === undefined) return undefined;
  try {
    return messageSchema.safeParse(JSON.parse(textIn(body))).data;
  } catch {
    return undefined;
  }
}
