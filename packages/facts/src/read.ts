/** Reads what a call's arguments mean, for policy (docs/decisions/016). */
import { type Json, type Parse, type PolicyFacts, type Session, valueAt } from '@interlock/contracts';
import { destinationFact, ownDestination, type ReadTool } from './destinations.ts';
import { readPath } from './path.ts';
import { needsParser, readRecipients } from './recipients.ts';
import { readShell } from './shell.ts';
import { createSqlReader, type SqlReader } from './sql.ts';
import { readUrl } from './url.ts';

/** A list of facts has at most this many; an argument with more texts is unreadable as a whole. */
const FACTS_MAX = 256;
/** All facts of a call as JSON: with the arguments they stay below what policy takes. */
const FACTS_BYTES_MAX = 48 * 1_024;
/** Text of one call for parsers that run in this thread, in UTF-16 units: at worst a few tens of milliseconds. */
const SHELL_LENGTH_MAX = 16_384;
const MAIL_LENGTH_MAX = 2_048;

export interface FactReader extends AsyncDisposable {
  /**
   * Returns the facts of a call. An absent argument has none; one of a wrong type, too long or not understood has an
   * unreadable one. Throws `dependency_unavailable` when too many calls wait for their SQL to be read.
   */
  read(tool: ReadTool, parsed: Record<string, Json>, session: Pick<Session, 'used'>): Promise<PolicyFacts>;
}

/** Makes a reader of facts. Disposing it ends the thread that reads SQL. */
export function createFactReader(): FactReader {
  const sql = createSqlReader();
  return {
    read: async (tool, parsed, session) => {
      const texts = tool.parse.flatMap((parse) => textsAt(parse, parsed));
      const of = <K extends Parse['as']>(as: K) => texts.filter((one) => one.parse.as === as);
      return withinBytes({
        sql: listed(await sqlFacts(sql, of('sql'))),
        shell: listed(withinLength(of('shell'), SHELL_LENGTH_MAX).map((one) => factOf(one, readShell))),
        paths: listed(of('path').map((one) => factOf(one, readPath))),
        recipients: listed(recipientFacts(of('recipients'))),
        destinations: listed(destinationFacts(tool, parsed, of('url'), session.used.destinations)),
      });
    },
    [Symbol.asyncDispose]: () => sql[Symbol.asyncDispose](),
  };
}

/** One value that is to be parsed. Without a text when the value is of another type. */
interface Text {
  parse: Parse;
  at: string;
  text: string | undefined;
}

type Unreadable = { at: string; readable: false };

/** Returns the texts that a pointer names: one, or each of a list. */
function textsAt(parse: Parse, parsed: Record<string, Json>): Text[] {
  const value = valueAt(parsed, parse.at);
  if (value === undefined) return [];
  if (!Array.isArray(value)) return [textOf(parse, parse.at, value)];
  if (value.length > FACTS_MAX) return [{ parse, at: parse.at, text: undefined }];
  return value.map((one, index) => textOf(parse, `${parse.at}/${index}`, one));
}

function textOf(parse: Parse, at: string, value: Json): Text {
  return { parse, at, text: typeof value === 'string' ? value : undefined };
}

function factOf<T extends object>(
  { at, text }: Text,
  read: (text: string) => T | undefined,
): ({ at: string; readable: true } & T) | Unreadable {
  const fact = text === undefined ? undefined : read(text);
  return fact === undefined ? { at, readable: false } : { at, readable: true, ...fact };
}

/** Returns the texts as they are when they are short enough together; otherwise none of them is read. */
function withinLength(texts: Text[], lengthMax: number): Text[] {
  const length = texts.reduce((sum, { text }) => sum + (text?.length ?? 0), 0);
  return length <= lengthMax ? texts : texts.map((one) => ({ ...one, text: undefined }));
}

async function sqlFacts(reader: SqlReader, texts: Text[]): Promise<PolicyFacts['sql']> {
  const asked = texts.flatMap(({ parse, text }) =>
    parse.as === 'sql' && text !== undefined ? [{ dialect: parse.dialect, text }] : [],
  );
  const answers = (await reader.read(asked)).values();
  return texts.map(({ parse, at, text }) => {
    const statements = text === undefined ? undefined : answers.next().value;
    if (parse.as !== 'sql' || statements === undefined) return { at, readable: false };
    return { at, readable: true, dialect: parse.dialect, statements };
  });
}

function recipientFacts(texts: Text[]): PolicyFacts['recipients'] {
  const parsed = texts.filter(({ text }) => text !== undefined && needsParser(text));
  const tooMuch = parsed.reduce((sum, { text }) => sum + (text?.length ?? 0), 0) > MAIL_LENGTH_MAX;
  return texts.flatMap((one): PolicyFacts['recipients'] => {
    const { at, text } = one;
    const skipped = text === undefined || (tooMuch && parsed.includes(one));
    const found = skipped ? undefined : readRecipients(text);
    if (found === undefined) return [{ at, readable: false }];
    return found.map((recipient) => ({ at, readable: true, ...recipient }));
  });
}

function destinationFacts(
  tool: ReadTool,
  parsed: Record<string, Json>,
  texts: Text[],
  used: readonly string[],
): PolicyFacts['destinations'] {
  const own = ownDestination(tool, parsed);
  const named = texts.map(({ at, text }): PolicyFacts['destinations'][number] => {
    const destination = text === undefined ? undefined : readUrl(text);
    return destination === undefined
      ? { at, readable: false }
      : { at, ...destinationFact(destination, used) };
  });
  if (own === undefined) return named;
  return [own.readable ? destinationFact(own.destination, used) : { at: WHOLE, readable: false }, ...named];
}

/** The pointer to all arguments: a fact there that is unreadable may be about any of them. */
const WHOLE = '';

function listed<T>(facts: T[]): (T | Unreadable)[] {
  return facts.length > FACTS_MAX ? [{ at: WHOLE, readable: false }] : facts;
}

/** Replaces the largest lists by one unreadable fact each until all of them fit. */
function withinBytes(facts: PolicyFacts): PolicyFacts {
  const sizes = Object.entries(facts).map(([name, list]) => ({
    name,
    bytes: Buffer.byteLength(JSON.stringify(list)),
  }));
  sizes.sort((one, other) => one.bytes - other.bytes);
  let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  let within = facts;
  for (let largest = sizes.pop(); largest !== undefined && total > FACTS_BYTES_MAX; largest = sizes.pop()) {
    within = { ...within, [largest.name]: [{ at: WHOLE, readable: false }] };
    total -= largest.bytes;
  }
  return within;
}
