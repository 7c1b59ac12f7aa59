/** Names and values as queries and forms have them. */
import type { ListStyle } from '@interlock/contracts';
import { isScalar, percentEncode, refused, textOf } from './template.ts';

/** Separators of lists that are written as one value. They stand unescaped; the elements do not. */
const SEPARATORS: Partial<Record<ListStyle, string>> = { comma: ',', pipe: '|', space: ' ' };
/** Deeper than any API takes. */
const DEPTH_MAX = 16;

/** One name with its values; a separator joins them into one value. */
export interface Pair {
  name: string;
  values: readonly string[];
  separator?: string;
}

/**
 * Returns the pairs of a value: `a=1` of a scalar, `a[b]=1` of an object's member, and of a list what its style says.
 * Throws `template_argument_refused` for a list of objects in a style that would lose which member belongs to which.
 */
export function pairsOf(
  name: string,
  value: unknown,
  style: ListStyle,
  argument: string = name,
  depth = 0,
): Pair[] {
  if (depth > DEPTH_MAX) throw refused(argument, 'This value is nested more deeply than a form can be.');
  if (value === undefined || value === null) return [];
  if (isScalar(value)) return [{ name, values: [textOf(value, argument)] }];
  if (Array.isArray(value)) return listPairs(name, value, style, argument, depth);
  if (typeof value !== 'object') throw refused(argument, 'This value has no text.');
  return Object.entries(value).flatMap(([member, inner]) => {
    if (/[[\]]/.test(member)) throw refused(argument, 'The name of a member has no brackets in a form.');
    return pairsOf(`${name}[${member}]`, inner, style, argument, depth + 1);
  });
}

function listPairs(
  name: string,
  list: readonly unknown[],
  style: ListStyle,
  argument: string,
  depth: number,
): Pair[] {
  if (style === 'indices')
    return list.flatMap((element, index) =>
      pairsOf(`${name}[${index}]`, element, style, argument, depth + 1),
    );
  if (!list.every(isScalar)) throw refused(argument, 'Only a list of texts, numbers or booleans fits here.');
  const texts = list.map((element) => textOf(element, argument));
  const separator = SEPARATORS[style];
  if (separator !== undefined) return texts.length === 0 ? [] : [{ name, values: texts, separator }];
  const each = style === 'brackets' ? `${name}[]` : name;
  return texts.map((text) => ({ name: each, values: [text] }));
}

/** Returns pairs as a query (RFC 3986): blanks are `%20`. */
export function writeQuery(pairs: readonly Pair[]): string {
  return pairs.map(({ name, values, separator }) => escapePair(name, values, separator)).join('&');
}

/** Returns pairs as the body of a form (`application/x-www-form-urlencoded`, WHATWG URL): blanks are `+`. */
export function writeForm(pairs: readonly Pair[]): string {
  return new URLSearchParams(
    pairs.map(({ name, values, separator = '' }): [string, string] => [name, values.join(separator)]),
  ).toString();
}

/** Returns one `name=value` of a query; values after the first follow their separator. */
export function escapePair(name: string, values: readonly string[], separator = ''): string {
  const between = separator === ' ' ? '%20' : separator === '|' ? '%7C' : separator;
  return `${escapeName(name)}=${values.map(percentEncode).join(between)}`;
}

/** Names are the operator's: what APIs write plainly stays as it is. */
function escapeName(name: string): string {
  return percentEncode(name).replaceAll('%24', '$').replaceAll('%5B', '[').replaceAll('%5D', ']');
}
