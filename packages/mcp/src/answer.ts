/**
 * What an upstream MCP server answered to a call, as it wrote it.
 *
 * A1. The MCP client parses an answer into numbers and shapes that it knows, and refuses what it does not know. So it is
 *     handed a stand-in that says only that there is an answer, and the answer itself is cut out of the server's text:
 *     every digit, however deep, of any shape.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Fault } from '@interlock/contracts';
import { z } from 'zod';

export type RequestId = string | number;

/** A result of `tools/call`. */
export interface ToolAnswer {
  isError: boolean;
  /** JSON: `{content, structuredContent?}`, or what the server sent in the place of that. */
  body: string;
}

/** An answer, and the message that the MCP client gets instead of the server's. */
export interface Answered {
  id: RequestId;
  answer: ToolAnswer;
  standIn: string;
}

/** Where the answer to one call is put, as soon as it is seen. */
export interface AnswerSlot {
  answer: ToolAnswer | undefined;
}

/** What the client must know of a result beside that there is one: whether it is the whole. */
const COMPLETE = '"complete"';
const BACKSLASH = 0x5c;

const idSchema = z.union([z.string(), z.number()]);

const slots = new AsyncLocalStorage<AnswerSlot>();

/** Runs one call and returns what the server answered to it, as it wrote it. */
export async function answeredBy(call: () => Promise<unknown>): Promise<ToolAnswer> {
  const slot: AnswerSlot = { answer: undefined };
  await slots.run(slot, call);
  if (slot.answer === undefined)
    throw new Fault('internal', { detail: 'An MCP answer was not seen as it came.' });
  return slot.answer;
}

/** Returns where the answer to the call under way is put; undefined outside of any. */
export function currentSlot(): AnswerSlot | undefined {
  return slots.getStore();
}

/** Returns the answer to a request of which the id is wanted; undefined for every other message, and for an error. */
export function answerOf(text: string, isWanted: (id: RequestId) => boolean): Answered | undefined {
  const message = isJson(text) ? membersOf(text) : {};
  const { result } = message;
  const id = message['id'] === undefined ? undefined : idSchema.safeParse(JSON.parse(message['id'])).data;
  if (result === undefined || id === undefined || !isWanted(id)) return undefined;
  const members = membersOf(result);
  const { content, structuredContent, resultType, isError } = members;
  // A result that asks for something is for the client, which refuses it.
  if (!result.startsWith('{') || (resultType !== undefined && resultType !== COMPLETE)) return undefined;
  const structured = structuredContent === undefined ? '' : `,"structuredContent":${structuredContent}`;
  return {
    id,
    answer: {
      isError: isError === 'true',
      body: content === undefined ? result : `{"content":${content}${structured}}`,
    },
    standIn: JSON.stringify({
      jsonrpc: '2.0',
      id,
      result: { content: [], ...(resultType === undefined ? {} : { resultType: 'complete' }) },
    }),
  };
}

/** Returns the data of each event of a stream of server-sent events. The last one may lack its end. */
export function eventsIn(stream: string): string[] {
  const events: string[] = [];
  let data: string[] = [];
  for (const line of [...stream.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/), '']) {
    const field = /^data(?:: ?|$)(.*)$/s.exec(line);
    if (field !== null) data.push(field[1] ?? '');
    if (line !== '') continue;
    if (data.length > 0) events.push(data.join('\n'));
    data = [];
  }
  return events;
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
