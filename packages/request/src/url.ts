/**
 * URLs of HTTP tools: URI Templates (RFC 6570, levels 1 to 3, and lists with `*`). The template is the operator's, the
 * arguments are the agent's.
 *
 * U1. `{name}` fills one path segment, or a part of one: the argument has no separator in any spelling, so it neither
 *     leaves its segment nor adds one, at servers either that decode before they split. `{/name}` adds one segment, and
 *     one for each element of a list with `{/name*}`.
 * U2. `{+name}` may fill several segments with single slashes between them.
 * U3. No segment is dots, in any spelling: no argument leaves the template's folder.
 * U4. In the host an argument is one of the values that the tool's schema lists, and a DNS label.
 * U5. A query stands at the end: `{?a,b*}`. There is no fragment: it would never be sent.
 * U6. Names may also have `$`, `-` and brackets, which are outside of RFC 6570, since APIs have them.
 */
import { Fault, pointerOf } from '@interlock/contracts';
import { escapePair } from './pairs.ts';
import { isDots, partsOf } from './segments.ts';
import {
  type Arguments,
  argumentOf,
  isObject,
  isScalar,
  percentEncode,
  refused,
  textOf,
} from './template.ts';

/** A tool's schema, of which the enums of arguments in the host are read. */
export type InputSchema = Readonly<Record<string, unknown>>;

type Operator = '' | '+' | '/' | '.' | ';' | '?' | '&';
/** One argument of an expression; `all` writes each element of a list for itself. */
interface Variable {
  name: string;
  all: boolean;
}
interface Expression {
  operator: Operator;
  variables: readonly Variable[];
}
type Token = string | Expression;

interface UrlTemplate {
  scheme: string;
  host: readonly Token[];
  path: readonly Token[];
  query: readonly Expression[];
}

const EXPRESSION = /\{([^{}]*)\}/g;
const OPERATORS: ReadonlySet<string> = new Set(['+', '/', '.', ';', '?', '&']);
const NAME = /^[A-Za-z0-9_.$[\]-]{1,128}$/;
/** A scheme, then an authority without a user, then a path. */
const WHOLE = /^(https?):\/\/([^/?#@\\\s]+?)((?:\/|\{[/?]).*)?$/s;
/** What RFC 3986 allows in a path. */
const PATH_TEXT = /^[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*$/;
const HOST_TEXT = /^[A-Za-z0-9\-.:[\]]*$/;
const DNS_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
/** If a careless server decodes once more, these leave the segment or end a string. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const CONTROL = /[\u0000-\u001f\u007f]/;
/** What servers commonly accept as a request line. */
const MAX_URL_BYTES = 8 * 1024;
/** Stands for an argument where only the shape of the URL matters. */
const STAND_IN = 'x';

/**
 * Builds a URL from an operator's template such as `https://host/path/{id}/x{?page}`.
 * @param args the call's arguments; only those that the template names are read.
 * @param query an encoded query that follows that of the template.
 * @returns an absolute URL with the template's origin, below the template's folder.
 * @throws Fault `template_argument_missing` or `template_argument_refused` with a JSON pointer into `args`,
 * `configuration_invalid` for the template itself.
 */
export function buildUrl(
  template: string,
  args: Arguments,
  { query = '', schema = {} }: { query?: string; schema?: InputSchema } = {},
): string {
  const parsed = parseUrlTemplate(template);
  const authority = fillHost(parsed, args, schema);
  const segments = fillPath(parsed.path, args);
  const filled = segments.join('/');
  const search = [...parsed.query.flatMap((expression) => fillQuery(expression, args)), query]
    .filter((part) => part !== '')
    .join('&');
  const text = `${authority}${filled}${search === '' ? '' : `?${search}`}`;
  if (text.length > MAX_URL_BYTES) throw moved('The URL is too long.');
  const url = new URL(text);
  // The parser agrees that nothing moved: same origin, same path, the same segments.
  const { origin } = new URL(authority);
  if (url.origin !== origin || url.pathname !== filled || filled.split('/').length !== segments.length)
    throw moved('The arguments would change where the URL leads.');
  return url.href;
}

/** Returns the origin of the URL that a template becomes. Throws as `buildUrl` does for the host. */
export function originInUrl(template: string, args: Arguments, schema: InputSchema): string {
  return new URL(fillHost(parseUrlTemplate(template), args, schema)).origin;
}

/** Returns the names of the arguments in the host of a template, in its path and in its query. Throws `configuration_invalid`. */
export function namesInUrl(template: string): { host: string[]; path: string[]; query: string[] } {
  const { host, path, query } = parseUrlTemplate(template);
  return { host: variablesOf(host), path: variablesOf(path), query: variablesOf(query) };
}

/** Returns the values that a schema lists for an argument of the host; undefined where it lists none that fits (U4). */
export function hostValues(schema: InputSchema, name: string): readonly string[] | undefined {
  const { properties } = schema;
  if (!isObject(properties) || !Object.hasOwn(properties, name)) return undefined;
  const declared = properties[name];
  const listed = isObject(declared) ? (declared['enum'] ?? [declared['const']]) : undefined;
  const fits = Array.isArray(listed) && listed.length > 0 && listed.every(isLabel);
  return fits ? (listed as string[]) : undefined;
}

/** Returns one URL for each combination of the host's arguments, other arguments stood in for. Throws `configuration_invalid`. */
export function urlsOf(template: string, schema: InputSchema): string[] {
  const parsed = parseUrlTemplate(template);
  const path = parsed.path.map((token) => standIn(token)).join('');
  let hosts = [''];
  for (const token of parsed.host) {
    const choices =
      typeof token === 'string'
        ? [token]
        : token.variables.flatMap(({ name }) => hostValues(schema, name) ?? []);
    hosts = hosts.flatMap((host) => choices.map((choice) => `${host}${choice}`)).slice(0, HOSTS_MAX);
  }
  return hosts.map((host) => `${parsed.scheme}://${host}${path}`);
}

/** More regions than any API has. */
const HOSTS_MAX = 1_000;

function parseUrlTemplate(template: string): UrlTemplate {
  const [, scheme, authority, rest = ''] = WHOLE.exec(template) ?? [];
  if (scheme === undefined || authority === undefined) throw badTemplate();
  const host = tokensOf(authority);
  const tokens = tokensOf(rest);
  const firstOfQuery = tokens.findIndex(isQuery);
  const path = firstOfQuery < 0 ? tokens : tokens.slice(0, firstOfQuery);
  const query =
    firstOfQuery < 0 ? [] : tokens.slice(firstOfQuery).filter((token) => typeof token !== 'string');
  const inOrder =
    path.every((token) => (typeof token === 'string' ? PATH_TEXT.test(token) : !isQuery(token))) &&
    host.every((token) => (typeof token === 'string' ? HOST_TEXT.test(token) : isPlain(token))) &&
    query.length === (firstOfQuery < 0 ? 0 : tokens.length - firstOfQuery) &&
    query.every(isQuery);
  if (!inOrder) throw badTemplate();
  const written = `${scheme}://${host.map(standIn).join('')}`;
  const shape = path.map(standIn).join('');
  if (!URL.canParse(`${written}${shape}`)) throw badTemplate();
  const url = new URL(`${written}${shape}`);
  if (shape === '' || url.pathname !== shape) throw badTemplate();
  return { scheme, host, path, query };
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(EXPRESSION)) {
    if (match.index > end) tokens.push(text.slice(end, match.index));
    tokens.push(expressionOf(match[1] ?? ''));
    end = match.index + match[0].length;
  }
  if (end < text.length) tokens.push(text.slice(end));
  return tokens;
}

function expressionOf(text: string): Expression {
  const first = text.slice(0, 1);
  const operator = OPERATORS.has(first) ? (first as Operator) : '';
  const variables = text
    .slice(operator.length)
    .split(',')
    .map((name) => (name.endsWith('*') ? { name: name.slice(0, -1), all: true } : { name, all: false }));
  if (!variables.every(({ name }) => NAME.test(name))) throw badTemplate();
  return { operator, variables };
}

function isQuery(token: Token): boolean {
  return typeof token !== 'string' && (token.operator === '?' || token.operator === '&');
}

/** `{name}` and nothing more. */
function isPlain(token: Token): boolean {
  return (
    typeof token !== 'string' &&
    token.operator === '' &&
    token.variables.length === 1 &&
    token.variables.every(({ all }) => !all)
  );
}

function standIn(token: Token): string {
  if (typeof token === 'string') return token;
  const prefix = token.operator === '+' ? '' : token.operator;
  return `${prefix}${STAND_IN}`;
}

function variablesOf(tokens: readonly Token[]): string[] {
  return tokens.flatMap((token) =>
    typeof token === 'string' ? [] : token.variables.map(({ name }) => name),
  );
}

/** U4 */
function fillHost({ scheme, host }: UrlTemplate, args: Arguments, schema: InputSchema): string {
  const filled = host.map((token) => {
    if (typeof token === 'string') return token;
    return token.variables
      .map(({ name }) => {
        const text = textOf(required(args, name), name);
        if (!(hostValues(schema, name) ?? []).includes(text))
          throw refused(name, 'The host of the URL takes only a value that the schema lists.');
        return text;
      })
      .join('');
  });
  return `${scheme}://${filled.join('')}`;
}

/** A segment as it grows. `shape` is what the operator wrote of it, with stand-ins. */
interface Segment {
  text: string;
  shape: string;
  argument: string | undefined;
}

function fillPath(path: readonly Token[], args: Arguments): string[] {
  const segments: Segment[] = [{ text: '', shape: '', argument: undefined }];
  const begin = () => segments.push({ text: '', shape: '', argument: undefined });
  const add = (text: string, shape = text, argument?: string) => {
    const segment = segments.at(-1);
    if (segment === undefined) return;
    segment.text += text;
    segment.shape += shape;
    segment.argument ??= argument;
  };
  for (const token of path) {
    if (typeof token === 'string')
      for (const [index, text] of token.split('/').entries()) {
        if (index > 0) begin();
        add(text);
      }
    else expandInPath(token, args, { begin, add });
  }
  for (const { text, shape, argument } of segments) {
    if (argument === undefined) continue;
    // What the operator wrote may have an encoded separator; what an argument adds to it makes neither another nor dots.
    const parts = partsOf(text) ?? [];
    if (parts.length !== partsOf(shape)?.length || parts.some(isDots))
      throw refused(argument, 'A path segment must not be dots.');
  }
  return segments.map(({ text }) => text);
}

interface Sink {
  begin: () => void;
  add: (text: string, shape?: string, argument?: string) => void;
}

function expandInPath({ operator, variables }: Expression, args: Arguments, { begin, add }: Sink): void {
  for (const [index, { name, all }] of variables.entries()) {
    // U1: what has a place of its own may be absent.
    const optional = operator === '/' || operator === ';' || operator === '.';
    const value = optional ? argumentOf(args, name) : required(args, name);
    if (value === undefined) continue;
    const elements = elementsOf(value, name);
    if (index > 0 && !optional) add(',');
    const groups = all ? elements.map((element) => [element]) : [elements];
    for (const group of groups) {
      if (operator === '/') begin();
      if (operator === '.') add('.');
      if (operator === ';') add(`;${percentEncode(name)}=`);
      if (all && !optional && group !== groups[0]) add(',');
      for (const [position, element] of group.entries()) {
        if (position > 0) add(',');
        const parts = operator === '+' ? element.split('/') : [element];
        for (const [part, text] of parts.entries()) {
          if (part > 0) begin();
          add(escapeSegment(text, name), STAND_IN, name);
        }
      }
    }
  }
}

function fillQuery({ variables }: Expression, args: Arguments): string[] {
  return variables.flatMap(({ name, all }) => {
    const value = argumentOf(args, name);
    if (value === undefined) return [];
    const texts = elementsOf(value, name);
    return all ? texts.map((text) => escapePair(name, [text])) : [escapePair(name, texts, ',')];
  });
}

/** Returns the texts of a value or of the elements of a list. An empty list has none. */
function elementsOf(value: unknown, name: string): string[] {
  if (!Array.isArray(value)) return [textOf(value, name)];
  if (!value.every(isScalar)) throw refused(name, 'Only a list of texts, numbers or booleans fits here.');
  if (value.length === 0) throw refused(name, 'A list without an element fits nowhere in a URL.');
  return value.map((element) => textOf(element, name));
}

function required(args: Arguments, name: string): unknown {
  const value = argumentOf(args, name);
  if (value !== undefined) return value;
  throw new Fault('template_argument_missing', {
    detail: `The URL of the tool needs the argument ${name}.`,
    pointer: pointerOf([name]),
  });
}

function escapeSegment(text: string, name: string): string {
  const [only = '', ...others] = partsOf(text) ?? ['', ''];
  if (others.length > 0)
    throw refused(name, 'A path segment must have no slash or backslash, encoded ones included.');
  if (only === '' || isDots(only)) throw refused(name, 'A path segment must be neither empty nor dots.');
  if (!text.isWellFormed() || CONTROL.test(only))
    throw refused(name, 'A path segment must be well-formed text without control characters.');
  return percentEncode(text);
}

function isLabel(value: unknown): boolean {
  return typeof value === 'string' && DNS_LABEL.test(value);
}

function moved(detail: string): Fault {
  return new Fault('template_argument_refused', { detail, pointer: '' });
}

function badTemplate(): Fault {
  return new Fault('configuration_invalid', {
    detail:
      'A URL template is http(s)://host/path with {name}, {+name} or {/name} in the path and {?name} at its end. What is fixed in a query goes under `query`.',
    pointer: '/url',
  });
}
