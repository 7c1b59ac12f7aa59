/**
 * URLs of HTTP tools. The template is the operator's, the arguments are the agent's.
 *
 * U1. `{name}` fills one path segment, or a part of one: the argument has no separator in any spelling, so it neither
 *     leaves its segment nor adds one, at servers either that decode before they split.
 * U2. `{+name}` (RFC 6570) may fill several segments with single slashes between them.
 * U3. No segment is dots, in any spelling: no argument leaves the template's folder.
 */
import { Fault, pointerOf } from '@interlock/contracts';
import { isDots, partsOf } from './segments.ts';

/** A value that may fill a placeholder. */
type Scalar = string | number | boolean;

/** Query parameters by name; a list repeats the name. */
export type Query = Readonly<Record<string, Scalar | readonly Scalar[]>>;

const PLACEHOLDER = /\{(\+?)([A-Za-z0-9_.-]{1,64})\}/g;
/** Scheme and authority: no user, no placeholder; then a path of characters that RFC 3986 allows there. */
const TEMPLATE =
  /^(https?:\/\/[^/?#@{}\\\s]+)(\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@%/]|\{\+?[A-Za-z0-9_.-]{1,64}\})*)$/;
/** `encodeURIComponent` does not escape these, and some servers give them a meaning. */
const LEFT_BY_ENCODING = /[!'()*]/g;
/** If a careless server decodes once more, these leave the segment or end a string. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const CONTROL = /[\u0000-\u001f\u007f]/;
/** What servers commonly accept as a request line. */
const MAX_URL_BYTES = 8 * 1024;

/**
 * Builds a URL from an operator's template such as `https://host/path/{id}/x`.
 * @param args the call's arguments; only those that the template names are read.
 * @param query names and values that become the query, in this order.
 * @returns an absolute URL with the template's origin, below the template's folder.
 * @throws Fault `template_argument_missing` or `template_argument_refused` with a JSON pointer into `args`,
 * `configuration_invalid` for the template itself.
 */
export function buildUrl(
  template: string,
  args: Readonly<Record<string, unknown>>,
  query: Query = {},
): string {
  const { origin, path } = parseTemplate(template);
  const segments = path.split('/').flatMap((segment) => fillSegment(segment, args));
  const filled = segments.join('/');
  const search = buildQuery(query);
  const text = `${origin}${filled}${search === '' ? '' : `?${search}`}`;
  if (text.length > MAX_URL_BYTES) throw refused('', 'The URL is too long.');
  const url = new URL(text);
  // The parser agrees that nothing moved: same origin, same path, the same segments.
  if (url.origin !== origin || url.pathname !== filled || filled.split('/').length !== segments.length) {
    throw refused('', 'The arguments would change where the URL leads.');
  }
  return url.href;
}

function parseTemplate(template: string): { origin: string; path: string } {
  const [, authority, path] = TEMPLATE.exec(template) ?? [];
  if (authority === undefined || path === undefined || !URL.canParse(template)) throw badTemplate();
  const url = new URL(`${authority}${path.replaceAll(PLACEHOLDER, 'x')}`);
  if (url.pathname !== path.replaceAll(PLACEHOLDER, 'x')) throw badTemplate();
  return { origin: url.origin, path };
}

/** Returns the segments that a segment of the template becomes: several only where it has `{+name}`. */
function fillSegment(segment: string, args: Readonly<Record<string, unknown>>): readonly string[] {
  const names: string[] = [];
  const filled = segment.replaceAll(PLACEHOLDER, (_whole, plus: string, name: string) => {
    names.push(name);
    const text = readText(args, name);
    const parts = plus === '' ? [text] : text.split('/');
    return parts.map((part) => escapeSegment(part, pointerOf([name]))).join('/');
  });
  const [first] = names;
  if (first === undefined) return [filled];
  const segments = filled.split('/');
  // What the operator wrote may have an encoded separator; what an argument adds to it makes neither another nor dots.
  const expected = (partsOf(segment.replaceAll(PLACEHOLDER, 'x'))?.length ?? 0) + segments.length - 1;
  const parts = segments.flatMap((one) => partsOf(one) ?? []);
  if (parts.length !== expected || parts.some(isDots))
    throw refused(pointerOf([first]), 'A path segment must not be dots.');
  return segments;
}

function readText(args: Readonly<Record<string, unknown>>, name: string): string {
  const pointer = pointerOf([name]);
  const value = Object.hasOwn(args, name) ? args[name] : undefined;
  if (value === undefined || value === null) {
    throw new Fault('template_argument_missing', {
      detail: `The URL of the tool needs the argument ${name}.`,
      pointer,
    });
  }
  if (!isScalar(value)) throw refused(pointer, 'Only a string, a number or a boolean can be part of a path.');
  return String(value);
}

function escapeSegment(text: string, pointer: string): string {
  const [only = '', ...others] = partsOf(text) ?? ['', ''];
  if (others.length > 0)
    throw refused(pointer, 'A path segment must have no slash or backslash, encoded ones included.');
  if (only === '' || isDots(only)) throw refused(pointer, 'A path segment must be neither empty nor dots.');
  if (!text.isWellFormed() || CONTROL.test(only)) {
    throw refused(pointer, 'A path segment must be well-formed text without control characters.');
  }
  return encodeURIComponent(text).replaceAll(LEFT_BY_ENCODING, percentEncode);
}

function buildQuery(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const values = typeof value === 'object' ? value : [value];
    for (const single of values) {
      const text = String(single);
      const finite = typeof single !== 'number' || Number.isFinite(single);
      if (!finite || !text.isWellFormed())
        throw refused(pointerOf([name]), 'This value cannot be part of a query.');
      search.append(name, text);
    }
  }
  return search.toString();
}

function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value))
  );
}

function percentEncode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function refused(pointer: string, detail: string): Fault {
  return new Fault('template_argument_refused', { detail, pointer });
}

function badTemplate(): Fault {
  return new Fault('configuration_invalid', {
    detail: 'A URL template is http(s)://host/path with {name} only in the path, without query and fragment.',
    pointer: '/url',
  });
}
