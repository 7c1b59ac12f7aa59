/**
 * What an upstream MCP server says, as it wrote it.
 *
 * A1. The MCP client parses an answer into numbers and shapes that it knows, and refuses what it does not know. So of a
 *     call it is handed a stand-in that says only that there is an answer, and the answer itself is cut out of the
 *     server's text: every digit, however deep, of any shape, an error too.
 * A2. Of a list it is handed an empty page, and the tools are kept as they came: one odd tool hides only itself.
 * A3. A handshake is read leniently: members that are null are absent, and names and versions that are missing are empty.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Fault } from '@interlock/contracts';
import { z } from 'zod';

export type RequestId = string | number;

/** What a server answered to `tools/call`. */
export interface ToolAnswer {
  /** `error`: the server answered the request itself with an error. */
  kind: 'result' | 'error';
  isError: boolean;
  /** JSON: `{content, structuredContent?}` or what the server sent in the place of that; `{error}` of an error. */
  body: string;
}

/** Where what a server says is put, as soon as it is seen. */
export type Slot = { kind: 'call'; answer: ToolAnswer | undefined } | { kind: 'list'; tools: unknown[] };

/** A request without an answer. */
export interface Waiting {
  method: string;
  slot: Slot | undefined;
}

/** The message that the MCP client gets in the place of the server's, and the request that it answers. */
export interface StandIn {
  id: RequestId;
  text: string;
}

/** What the client must know of a result beside that there is one: whether it is the whole. */
const COMPLETE = '"complete"';
const BACKSLASH = 0x5c;
const SERVER_ERROR = -32_000;

const idSchema = z.union([z.string(), z.number()]);
const recordSchema = z.record(z.string(), z.unknown());

const slots = new AsyncLocalStorage<Slot>();

/** Runs one call and returns what the server answered to it, as it wrote it. */
export async function answeredBy(call: () => Promise<unknown>): Promise<ToolAnswer> {
  const slot: Slot = { kind: 'call', answer: undefined };
  await slots.run(slot, call);
  if (slot.answer === undefined)
    throw new Fault('internal', { detail: 'An MCP answer was not seen as it came.' });
  return slot.answer;
}

/** Runs the reading of a list and returns the tools of every page, as the server wrote them. */
export async function listedBy(list: () => Promise<unknown>): Promise<unknown[]> {
  const slot = { kind: 'list' as const, tools: [] as unknown[] };
  await slots.run(slot, list);
  return slot.tools;
}

/** Returns where what the request under way is answered with is put; undefined outside of any. */
export function currentSlot(): Slot | undefined {
  return slots.getStore();
}

/**
 * Returns the stand-in for a message that answers a request for which somebody waits, and puts what it says into the slot;
 * undefined for every other message, which the client gets as it is.
 */
export function standInFor(
  text: string,
  waitingFor: (id: RequestId) => Waiting | undefined,
): StandIn | undefined {
  const message = isJson(text) ? membersOf(text) : {};
  const id = message['id'] === undefined ? undefined : idSchema.safeParse(JSON.parse(message['id'])).data;
  const waiting = id === undefined ? undefined : waitingFor(id);
  if (id === undefined || waiting === undefined) return undefined;
  const { result, error } = message;
  const standIn =
    error !== undefined && result === undefined
      ? errorStandIn(error, waiting)
      : result === undefined
        ? undefined
        : resultStandIn(result, waiting);
  return standIn === undefined ? undefined : { id, text: JSON.stringify({ jsonrpc: '2.0', id, ...standIn }) };
}

/** Puts an error with which a server answered a call in another way than in its stream, and returns its stand-in. */
export function standInForError(text: string, id: RequestId, waiting: Waiting): StandIn | undefined {
  const { error, result } = isJson(text) ? membersOf(text) : {};
  if (error === undefined || result !== undefined) return undefined;
  return { id, text: JSON.stringify({ jsonrpc: '2.0', id, ...errorStandIn(error, waiting) }) };
}

/** An error may have any shape. The client knows a code that is an integer and a message that is a text. */
function errorStandIn(error: string, { slot }: Waiting): object {
  if (slot?.kind === 'call') {
    slot.answer = { kind: 'error', isError: true, body: `{"error":${error}}` };
    return { result: { content: [] } };
  }
  const parsed: unknown = JSON.parse(error);
  const { code, message, data } = recordSchema.safeParse(parsed).data ?? {};
  return {
    error: {
      code: Number.isInteger(code) ? code : SERVER_ERROR,
      message: typeof message === 'string' ? message : error,
      ...(data === undefined ? {} : { data }),
    },
  };
}

function resultStandIn(result: string, { method, slot }: Waiting): object | undefined {
  if (method === 'tools/call' && slot?.kind === 'call') return callStandIn(result, slot);
  if (method === 'tools/list' && slot?.kind === 'list') return listStandIn(result, slot);
  return method === 'initialize' || method === 'server/discover'
    ? { result: handshakeOf(JSON.parse(result)) }
    : undefined;
}

/** A1 */
function callStandIn(result: string, slot: Extract<Slot, { kind: 'call' }>): object | undefined {
  const { content, structuredContent, resultType, isError, _meta } = membersOf(result);
  // A result that asks for something is for the client, which refuses it.
  if (!result.startsWith('{') || (resultType !== undefined && resultType !== COMPLETE)) return undefined;
  const structured = structuredContent === undefined ? '' : `,"structuredContent":${structuredContent}`;
  const meta = _meta === undefined || _meta === 'null' ? '' : `,"_meta":${_meta}`;
  slot.answer = {
    kind: 'result',
    isError: isError === 'true',
    body: content === undefined ? result : `{"content":${content}${structured}${meta}}`,
  };
  return { result: { content: [], ...(resultType === undefined ? {} : { resultType: 'complete' }) } };
}

/** A2 */
function listStandIn(result: string, slot: Extract<Slot, { kind: 'list' }>): object {
  const page = recordSchema.safeParse(JSON.parse(result)).data ?? {};
  const { tools, nextCursor, ...others } = withoutNulls(page);
  slot.tools.push(...(Array.isArray(page['tools']) ? page['tools'] : []));
  const isMore = typeof nextCursor === 'string' && nextCursor !== '';
  return { result: { ...others, tools: [], ...(isMore ? { nextCursor } : {}) } };
}

/** A3 */
function handshakeOf(result: unknown): unknown {
  const { capabilities, serverInfo, ...others } = withoutNulls(recordSchema.safeParse(result).data ?? {});
  const { name, version, ...more } = withoutNulls(recordSchema.safeParse(serverInfo).data ?? {});
  return {
    ...others,
    capabilities: withoutNulls(recordSchema.safeParse(capabilities).data ?? {}),
    ...(serverInfo === undefined
      ? {}
      : { serverInfo: { ...more, name: textOr(name), version: textOr(version) } }),
  };
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function withoutNulls(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

/** Returns the members of an object in well-formed JSON, each as it is written; none for anything else. Of two of one name the last counts. */
function membersOf(text: string): Record<string, string | undefined> {
  const members: Record<string, string | undefined> = Object.create(null);
  if (!text.trimStart().startsWith('{')) return members;
  const token = /["[\]{}:,]/g;
  let depth = 0;
  let name: string | undefined;
  let said = '';
  let from = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const { 0: sign, index } = found;
    if (sign === '"') token.lastIndex = endOfString(text, index);
    if (depth === 1 && name === undefined && sign === '"') said = text.slice(index, token.lastIndex);
    if (depth === 1 && name === undefined && sign === ':') {
      name = String(JSON.parse(said));
      from = index + 1;
    }
    if (depth === 1 && name !== undefined && (sign === ',' || sign === '}')) {
      members[name] = text.slice(from, index).trim();
      name = undefined;
    }
    if (sign === '{' || sign === '[') depth += 1;
    if (sign === '}' || sign === ']') depth -= 1;
  }
  return members;
}

/** The end of a string, of which the opening quote is at `start`. A pattern would end the stack at a long one. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
  return text.length;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
