/**
 * Texts of a tool's definition with placeholders in them: `{name}` is the argument of that name, `\{` is a brace.
 *
 * T1. The definition is the operator's and the arguments are the agent's: what an argument says is never read as a
 *     template again.
 * T2. Braces around nothing, blanks or quotes are text: queries in GraphQL are full of them.
 * T3. An argument that is absent or null has no value, and neither has a text that needs it.
 * T4. An object or a list of a template that has lost everything is without a value itself. The whole body is not.
 * T5. In an element of a list, `{name*}` repeats the element for each element of the argument.
 */
import { Fault, type Json, pointerOf } from '@interlock/contracts';

export type Arguments = Readonly<Record<string, unknown>>;

/** A piece of a template: text as it is, or the name of an argument. */
export type Piece = { text: string } | { name: string };

/** A value with a plain text. */
export type Scalar = string | number | boolean;

/** `encodeURIComponent` does not escape these, and some servers give them a meaning. */
const LEFT_BY_ENCODING = /[!'()*]/g;
const PIECE = /\\\{|\{([^{}\s"'\\]{1,128})\}/g;

/** Returns the pieces of a template in order. */
export function piecesOf(template: string): Piece[] {
  const pieces: Piece[] = [];
  let text = '';
  let end = 0;
  for (const match of template.matchAll(PIECE)) {
    text += template.slice(end, match.index);
    end = match.index + match[0].length;
    const [, name] = match;
    if (name === undefined) text += '{';
    else {
      if (text !== '') pieces.push({ text });
      pieces.push({ name });
      text = '';
    }
  }
  text += template.slice(end);
  if (text !== '' || pieces.length === 0) pieces.push({ text });
  return pieces;
}

/** Returns the names of the arguments that a template needs. */
export function namesOf(template: string): string[] {
  return piecesOf(template).flatMap((piece) => ('name' in piece ? [piece.name] : []));
}

/** Returns the name of the argument that a template is, whole; undefined for one with any text in it. */
export function wholeArgument(template: string): string | undefined {
  const [first, ...others] = piecesOf(template);
  return first !== undefined && 'name' in first && others.length === 0 ? first.name : undefined;
}

/** Returns an argument's value; undefined when it is absent or null (T3). */
export function argumentOf(args: Arguments, name: string): unknown {
  return Object.hasOwn(args, name) ? (args[name] ?? undefined) : undefined;
}

/** Returns a template with its arguments in it, or undefined (T3). Throws `template_argument_refused` for what has no plain text. */
export function fillText(template: string, args: Arguments): string | undefined {
  let filled = '';
  for (const piece of piecesOf(template)) {
    if ('text' in piece) filled += piece.text;
    else {
      const value = argumentOf(args, piece.name);
      if (value === undefined) return undefined;
      filled += textOf(value, piece.name);
    }
  }
  return filled;
}

/**
 * Returns JSON with its arguments in it. A text that is one placeholder becomes the argument with its type. Members and
 * elements without a value (T3) are left out, and so are objects and lists that have nothing else (T4).
 */
export function fillJson(template: Json, args: Arguments): Json | undefined {
  if (typeof template === 'string') {
    const whole = wholeArgument(template);
    return whole === undefined ? fillText(template, args) : (argumentOf(args, whole) as Json | undefined);
  }
  if (Array.isArray(template)) {
    const filled = template.map((element) => fillElement(element, args));
    return filled.length > 0 && filled.every((elements) => elements === undefined)
      ? undefined
      : filled.flatMap((elements) => elements ?? []);
  }
  if (typeof template !== 'object' || template === null) return template;
  const members = Object.entries(template).map(([name, value]) => [name, fillJson(value, args)] as const);
  const left = members.filter((member): member is [string, Json] => member[1] !== undefined);
  return members.length > 0 && left.length === 0 ? undefined : Object.fromEntries(left);
}

/** Returns what an element of a list becomes: as many as its repeated argument has elements (T5), else one, or undefined. */
function fillElement(template: Json, args: Arguments): Json[] | undefined {
  const repeated = repeatedIn(template);
  if (repeated === undefined) {
    const filled = fillJson(template, args);
    return filled === undefined ? undefined : [filled];
  }
  const list = argumentOf(args, argumentName(repeated));
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) throw refused(argumentName(repeated), 'Only a list fits here.');
  return list.flatMap((one) => fillJson(template, { ...args, [repeated]: one }) ?? []);
}

/** Returns the placeholder that repeats an element of a list, as it is written: `name*`. Lists inside have their own. */
function repeatedIn(template: Json): string | undefined {
  return textsOf(template)
    .filter(({ path }) => path.every((step) => typeof step === 'string'))
    .flatMap(({ text }) => namesOf(text))
    .find(isRepeated);
}

/** Whether a placeholder is written `name*`. */
export function isRepeated(name: string): boolean {
  return name.length > 1 && name.endsWith('*');
}

/** Returns the argument that a placeholder of a JSON template stands for. */
export function argumentName(name: string): string {
  return isRepeated(name) ? name.slice(0, -1) : name;
}

/** Returns every text of a JSON template with its path. */
export function textsOf(
  template: Json,
  path: readonly PropertyKey[] = [],
): { text: string; path: PropertyKey[] }[] {
  if (typeof template === 'string') return [{ text: template, path: [...path] }];
  if (typeof template !== 'object' || template === null) return [];
  const members = Array.isArray(template) ? template.entries() : Object.entries(template);
  return [...members].flatMap(([name, value]) => textsOf(value, [...path, name]));
}

/** Returns the plain text of an argument. Throws `template_argument_refused`. */
export function textOf(value: unknown, name: string): string {
  if (!isScalar(value)) throw refused(name, 'Only a text, a number or a boolean fits here.');
  const text = String(value);
  if (!text.isWellFormed()) throw refused(name, 'A text must be well-formed Unicode.');
  return text;
}

/** Returns a text percent-encoded (RFC 3986) down to letters, digits and `-._~`. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    LEFT_BY_ENCODING,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === 'string' ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value))
  );
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the fault for an argument that does not fit into its place. */
export function refused(name: string, detail: string): Fault {
  return new Fault('template_argument_refused', { detail, pointer: pointerOf([name]) });
}
