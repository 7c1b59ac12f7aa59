/**
 * One HTTP tool's request, from its definition and the signed arguments, before the call is claimed: what cannot
 * be built is refused and nothing was done.
 */
import { Fault, type HttpTarget, pointerOf, type Tool } from '@interlock/contracts';
import { assertHeaderValue } from '@interlock/egress';
import { buildBody } from './body.ts';
import { pairsOf, writeQuery } from './pairs.ts';
import { placesBeforeBody } from './places.ts';
import { type Arguments, argumentOf, fillText, isObject, namesOf, wholeArgument } from './template.ts';
import { buildUrl, originInUrl } from './url.ts';

/** Everything of a request but its credential, its identity, its signature and its trace. */
export interface HttpRequest {
  method: HttpTarget['method'];
  url: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | undefined;
}

/** A tool that is one HTTP request. */
export type HttpTool = Pick<Tool, 'inputSchema' | 'credential'> & { target: HttpTarget };

/** Stands for a credential while the request is checked before the call is claimed. */
const STAND_IN = 'x';

/**
 * Builds a tool's request. A missing argument leaves out its header, its parameter or its member. `secrets` are the
 * credentials that stand in placeholders; without them something else does, and the request is only good for checks.
 * Throws `template_argument_missing`, `template_argument_refused`, `header_argument_refused` or `configuration_invalid`.
 */
export function buildRequest(
  { target, inputSchema, credential }: HttpTool,
  given: Arguments,
  call: string,
  secrets: Readonly<Record<string, string>> = {},
): HttpRequest {
  const placeholders = placeholdersOf(credential);
  const args = Object.fromEntries([
    ...Object.entries(given).filter(([name]) => !placeholders.includes(name)),
    ...placeholders.map((name) => [name, secrets[name] ?? STAND_IN]),
  ]);
  const query = writeQuery(
    Object.entries(target.query).flatMap(([name, template]) => queryPairs(name, template, args)),
  );
  const url = buildUrl(target.url, args, { query, schema: inputSchema });
  const headers: Record<string, string> = {};
  for (const [name, template] of Object.entries(target.headers)) addFilled(headers, name, template, args);
  if (target.idempotencyHeader !== undefined) addHeader(headers, target.idempotencyHeader, call);
  const named = new Set([...placesBeforeBody(target).map(({ name }) => name), ...placeholders]);
  const body = buildBody(target, args, named);
  if (body !== undefined) addHeader(headers, 'content-type', body.mediaType);
  return { method: target.method, url, headers, body: body?.bytes };
}

/** Returns the placeholders that credentials fill. */
export function placeholdersOf(credential: Tool['credential']): string[] {
  return credential.flatMap(({ inject }) => (inject.as === 'placeholder' ? [inject.placeholder] : []));
}

/** Returns the origin of a tool's request, for which only arguments in the host matter. Throws as `buildRequest` does for the URL. */
export function originOf({ target, inputSchema }: Omit<HttpTool, 'credential'>, args: Arguments): string {
  return originInUrl(target.url, args, inputSchema);
}

/** Adds a header that nobody set before, however its name is written. Throws `configuration_invalid`. */
export function addHeader(headers: Record<string, string>, name: string, value: string): void {
  const lower = name.toLowerCase();
  if (Object.keys(headers).some((other) => other.toLowerCase() === lower))
    throw new Fault('configuration_invalid', { detail: `The tool sets ${name} twice.` });
  headers[name] = value;
}

function addFilled(headers: Record<string, string>, name: string, template: string, args: Arguments): void {
  const [argument] = namesOf(template);
  const pointer = argument === undefined ? '' : pointerOf([argument]);
  const value = fillHeader(template, args, pointer);
  if (value === undefined) return;
  assertHeaderValue(value, pointer);
  addHeader(headers, name, value);
}

function fillHeader(template: string, args: Arguments, pointer: string): string | undefined {
  try {
    return fillText(template, args);
  } catch (cause) {
    throw new Fault('header_argument_refused', { pointer, cause });
  }
}

function queryPairs(name: string, template: HttpTarget['query'][string], args: Arguments) {
  const { value, lists } =
    typeof template === 'string' ? { value: template, lists: 'repeat' as const } : template;
  const whole = wholeArgument(value);
  const filled = whole === undefined ? fillText(value, args) : argumentOf(args, whole);
  // An object is only written where the definition says how.
  if (typeof template === 'string' && isObject(filled))
    throw new Fault('template_argument_refused', {
      detail: 'Only a text, a number, a boolean or a list of these fits here.',
      pointer: pointerOf([whole ?? name]),
    });
  return pairsOf(name, filled, lists, whole ?? name);
}
