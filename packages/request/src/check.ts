/**
 * What is wrong with the definition of an HTTP tool, before any call of it. Whatever an argument could be dropped by, or
 * a placeholder sent as text, is a mistake here, so that no agent has to find it.
 */
import { Fault, type HttpTarget, type Injection, type Tool } from '@interlock/contracts';
import { isOwnedByConnection } from '@interlock/egress';
import { hasBody, takesOthers } from './body.ts';
import { type Place, placesOf } from './places.ts';
import { isObject, piecesOf } from './template.ts';
import { hostValues, namesInUrl } from './url.ts';

/** A mistake and where it stands: a path below the tool's target. */
export interface DefinitionMistake {
  path: readonly PropertyKey[];
  text: string;
}

type Definition = Pick<Tool, 'inputSchema' | 'credential'> & { target: Omit<HttpTarget, 'kind'> };

const COMPOUND = new Set(['object', 'array']);

/** Returns the mistakes of a definition that no other definition is needed for; whether the schema has a name at all is not looked at. */
export function checkDefinition({ target, inputSchema, credential }: Definition): DefinitionMistake[] {
  try {
    namesInUrl(target.url);
  } catch (cause) {
    return [{ path: ['url'], text: cause instanceof Fault ? (cause.detail ?? cause.code) : String(cause) }];
  }
  const places = placesOf(target);
  return [
    ...hostMistakes(target.url, inputSchema),
    ...bracesLeft(target),
    ...headersTwice(target),
    ...credentialMistakes({ target, inputSchema, credential }, places),
    ...repeatedWrongly(places),
    ...places.flatMap((place) => unfit(place, inputSchema)),
    ...dropped(target, inputSchema, new Set(places.map(({ name }) => name))),
  ];
}

function hostMistakes(url: string, schema: Definition['inputSchema']): DefinitionMistake[] {
  return namesInUrl(url)
    .host.filter((name) => hostValues(schema, name) === undefined)
    .map((name) => ({
      path: ['url'],
      text: `{${name}} stands in the host, so its schema must list every value it may have (enum), each a part of a host name`,
    }));
}

/** In headers and parameters a brace that begins no placeholder is more likely a mistake than meant. */
function bracesLeft({ headers, query }: Definition['target']): DefinitionMistake[] {
  const texts = [
    ...Object.entries(headers).map(([name, text]) => ({ text, path: ['headers', name] })),
    ...Object.entries(query).map(([name, template]) =>
      typeof template === 'string'
        ? { text: template, path: ['query', name] }
        : { text: template.value, path: ['query', name, 'value'] },
    ),
  ];
  return texts.flatMap(({ text, path }) => {
    const plain = text.replaceAll('\\{', '');
    const left = piecesOf(plain).some((piece) => 'text' in piece && /[{}]/.test(piece.text));
    return left ? [{ path, text: 'a brace that begins no placeholder is written \\{' }] : [];
  });
}

function headersTwice({
  headers,
  body,
  idempotencyHeader,
  method,
}: Definition['target']): DefinitionMistake[] {
  const names = Object.keys(headers);
  const seen = new Map<string, string>();
  return names.flatMap((name) => {
    const lower = name.toLowerCase();
    const path = ['headers', name];
    const other = seen.get(lower);
    seen.set(lower, name);
    if (other !== undefined) return [{ path, text: `this header is given twice, as ${other}, too` }];
    if (isOwnedByConnection(lower)) return [{ path, text: 'this header is set by the gateway' }];
    if (lower === idempotencyHeader?.toLowerCase())
      return [{ path, text: 'idempotencyHeader sets this header' }];
    if (lower === 'content-type' && hasBody({ body, method }))
      return [
        {
          path,
          text: 'the body sets this header: say what it is under body, such as { form: all }, { json: all, mediaType: … } or { text: "{…}" }',
        },
      ];
    return [];
  });
}

/** Where each credential goes: nothing else goes there (K1 of `credentials.ts`). The path is from the top of the tool. */
function credentialMistakes(
  { target, inputSchema, credential }: Definition,
  places: readonly Place[],
): DefinitionMistake[] {
  const taken = new Set([
    ...Object.keys(target.headers).map((name) => `the header ${name.toLowerCase()}`),
    ...Object.keys(target.query).map((name) => `the parameter ${name}`),
    ...namesInUrl(target.url).query.map((name) => `the parameter ${name}`),
    ...argumentsOf(inputSchema).map((name) => `{${name}}`),
  ]);
  const found: string[] = [];
  for (const { inject } of credential) {
    for (const place of placesOfInjection(inject)) {
      if (taken.has(place)) found.push(`${place} is already filled`);
      taken.add(place);
    }
    if (inject.as === 'placeholder' && !places.some(({ name }) => name === inject.placeholder))
      found.push(`{${inject.placeholder}} stands nowhere in the request`);
  }
  const kinds = credential.map(({ inject }) => inject.as);
  if (kinds.includes('basic-username') !== kinds.includes('basic-password'))
    found.push('basic-username and basic-password go together');
  return found.map((text) => ({ path: ['credential'], text }));
}

function placesOfInjection(inject: Injection): string[] {
  switch (inject.as) {
    case 'bearer':
    case 'basic':
    case 'basic-username':
      return ['the header authorization'];
    case 'basic-password':
      return ['the password of basic authentication'];
    case 'header':
      return [`the header ${inject.header.toLowerCase()}`];
    case 'query':
      return [`the parameter ${inject.parameter}`];
    case 'placeholder':
      return [`{${inject.placeholder}}`];
    case 'aws-sigv4':
      return ['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token'].map(
        (name) => `the header ${name}`,
      );
    default:
      return inject satisfies never;
  }
}

/** A place for text with an argument that is never text. */
function unfit({ name, path, takes }: Place, schema: Definition['inputSchema']): DefinitionMistake[] {
  if (takes === 'json') return [];
  const types = typesOf(schema, name);
  const isList = (type: string) => type === 'array' && takes !== 'text';
  const fits =
    types === undefined || types.some((type) => isList(type) || (takes !== 'each' && !COMPOUND.has(type)));
  if (fits) return [];
  return takes === 'each'
    ? [{ path, text: `{${name}*} is ${types.join(' or ')} by the schema, and only a list can be repeated` }]
    : [{ path, text: `{${name}} is ${types.join(' or ')} by the schema, and only plain values fit here` }];
}

/** An argument is repeated in an element of a list, and an element for one argument. */
function repeatedWrongly(places: readonly Place[]): DefinitionMistake[] {
  const repeated = new Map<string, string>();
  return places.flatMap(({ name, path, takes }) => {
    if (takes !== 'each') return [];
    const last = path.findLastIndex((step) => typeof step === 'number');
    if (last < 0) return [{ path, text: `{${name}*} repeats an element of a list, and stands in none` }];
    const element = JSON.stringify(path.slice(0, last + 1));
    const other = repeated.get(element) ?? name;
    repeated.set(element, other);
    return other === name
      ? []
      : [{ path, text: `the element is repeated for {${other}*} already, so {${name}*} has no place in it` }];
  });
}

function typesOf(schema: Definition['inputSchema'], name: string): string[] | undefined {
  const { properties } = schema;
  if (!isObject(properties) || !Object.hasOwn(properties, name)) return undefined;
  const declared = properties[name];
  const type = isObject(declared) ? declared['type'] : undefined;
  if (typeof type === 'string') return [type];
  return Array.isArray(type) && type.length > 0 && type.every((one) => typeof one === 'string')
    ? type
    : undefined;
}

/** Arguments that the schema takes and the request has no place for. */
function dropped(
  target: Definition['target'],
  schema: Definition['inputSchema'],
  placed: ReadonlySet<string>,
): DefinitionMistake[] {
  if (takesOthers(target)) return [];
  const lost = argumentsOf(schema).filter((name) => !placed.has(name));
  if (lost.length === 0) return [];
  const names = lost.join(', ');
  return [
    {
      path: ['body'],
      text: `the request has no place for ${names}: put ${lost.length === 1 ? 'it' : 'each'} into url, query, headers or body`,
    },
  ];
}

function argumentsOf({ properties }: Definition['inputSchema']): string[] {
  return isObject(properties) ? Object.keys(properties) : [];
}
