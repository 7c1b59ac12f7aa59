/** Where the arguments of a call go in a request: for building it, for policy's facts and for checking a definition. */
import type { HttpTarget, Json } from '@interlock/contracts';
import { takesOthers } from './body.ts';
import { argumentName, isRepeated, namesOf, textsOf, wholeArgument } from './template.ts';
import { namesInUrl } from './url.ts';

/** The use of an argument by name, and where it stands below the target. */
export interface Place {
  name: string;
  path: readonly PropertyKey[];
  /** `json` takes any value, `each` a list, `list` also a list of scalars, `text` a scalar. */
  takes: 'json' | 'each' | 'list' | 'text';
}

/** Members of a mail that take several addresses. */
const LISTED: ReadonlySet<string> = new Set(['to', 'cc', 'bcc', 'replyTo']);

type Templates = Pick<HttpTarget, 'url' | 'headers' | 'query' | 'body'>;

/** Returns the places of arguments outside of the body. Throws `configuration_invalid` for a URL that is no template. */
export function placesBeforeBody({ url, headers, query }: Omit<Templates, 'body'>): Place[] {
  const inUrl = namesInUrl(url);
  return [
    ...inUrl.host.map((name): Place => ({ name, path: ['url'], takes: 'text' })),
    ...[...inUrl.path, ...inUrl.query].map((name): Place => ({ name, path: ['url'], takes: 'list' })),
    ...Object.entries(headers).flatMap(([header, text]) =>
      namesOf(text).map((name): Place => ({ name, path: ['headers', header], takes: 'text' })),
    ),
    ...Object.entries(query).flatMap(([parameter, template]) =>
      typeof template === 'string'
        ? placesOfText(template, ['query', parameter], 'list')
        : placesOfText(template.value, ['query', parameter, 'value'], 'json'),
    ),
  ];
}

/** Returns the places of arguments that the body names. */
function placesInBody({ body }: Pick<Templates, 'body'>): Place[] {
  if (typeof body === 'string') return [];
  if (Array.isArray(body))
    return body.map((name, index): Place => ({ name, path: ['body', index], takes: 'json' }));
  if ('json' in body) return body.json === 'all' ? [] : placesOfJson(body.json, ['body', 'json']);
  if ('form' in body) return body.form === 'all' ? [] : placesOfJson(body.form, ['body', 'form']);
  if ('multipart' in body)
    return body.multipart === 'all' ? [] : placesOfJson(body.multipart as Json, ['body', 'multipart']);
  if ('related' in body)
    return body.related.flatMap((part, index) => placesOfJson(part as Json, ['body', 'related', index]));
  if ('mail' in body)
    return Object.entries(body.mail).flatMap(([member, text = '']) =>
      placesOfText(text, ['body', 'mail', member], LISTED.has(member) ? 'list' : 'text'),
    );
  if ('text' in body) return placesOfText(body.text, ['body', 'text'], 'text');
  return placesOfText(body.base64, ['body', 'base64'], 'text');
}

/** Returns the places of all arguments that a definition names. Throws `configuration_invalid` for a URL that is no template. */
export function placesOf(target: Templates): Place[] {
  return [...placesBeforeBody(target), ...placesInBody(target)];
}

/** Whether a request carries one of these arguments anywhere. */
export function carriesAny(target: HttpTarget, names: readonly string[]): boolean {
  if (names.length > 0 && takesOthers(target)) return true;
  const placed = new Set(placesOf(target).map(({ name }) => name));
  return names.some((name) => placed.has(name));
}

function placesOfJson(template: Json, path: readonly PropertyKey[]): Place[] {
  return textsOf(template, path).flatMap((found) =>
    placesOfText(found.text, found.path, 'json').map(
      (place): Place =>
        isRepeated(place.name) ? { ...place, name: argumentName(place.name), takes: 'each' } : place,
    ),
  );
}

/** A text of several pieces takes scalars only, whatever stands where it goes. */
function placesOfText(text: string, path: readonly PropertyKey[], takes: Place['takes']): Place[] {
  const isWhole = wholeArgument(text) !== undefined;
  return namesOf(text).map((name) => ({ name, path, takes: isWhole ? takes : 'text' }));
}
