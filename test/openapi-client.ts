/**
 * A client generated from an OpenAPI 3.1 document: it draws requests from what the document says (valid, nearly
 * valid, and garbage), sends them, and holds the answers against the document.
 */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pointerOf } from '@interlock/contracts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc, { type Arbitrary } from 'fast-check';
import type { z } from 'zod';
import { type OpenApi, type operationSchema, valueFor } from './openapi-values.ts';

const ANSWER_TIMEOUT_MS = 60_000;
const DOCUMENT = 'openapi';
const PROBLEM = 'application/problem+json';
/** A request as it is sent. */
export interface Drawn {
  operation: string;
  method: string;
  path: string;
  headers: Record<string, string | undefined>;
  body: string | undefined;
}

export interface Answered {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/** Returns requests to every operation. `hints` are bodies that mean something here, by path, such as calls of real tools. */
export function requestsOf(document: OpenApi, authorization: string, hints: Hints): Arbitrary<Drawn> {
  const drawn = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      if (operation === undefined) return [];
      // Where there is more to say there is more to find.
      const weight = operation.requestBody === undefined ? 1 + operation.parameters.length : 5;
      return [{ weight, arbitrary: drawOne(document, { path, method, operation }, authorization, hints) }];
    }),
  );
  return fc.oneof(...drawn);
}

export interface Hints {
  bodies: Readonly<Record<string, Arbitrary<unknown>>>;
  calls: () => readonly string[];
}

interface Operation {
  path: string;
  method: string;
  operation: z.infer<typeof operationSchema>;
}

function drawOne(
  document: OpenApi,
  described: Operation,
  authorization: string,
  hints: Hints,
): Arbitrary<Drawn> {
  const { path, method, operation } = described;
  const parametersIn = (where: string) =>
    Object.fromEntries(
      operation.parameters
        .filter((parameter) => parameter.in === where)
        .map(({ name, schema }) => [name, textOf(valueFor(schema, document))]),
    );
  const query = fc.record(parametersIn('query'), { requiredKeys: [] });
  return fc
    .record({
      address: fc.oneof(
        fc.record<Address>({
          inPath: fc.record(parametersIn('path')),
          query: fc.oneof<Arbitrary<Address['query']>[]>(
            query,
            fc.dictionary(anyWord, anyWord, { maxKeys: 2 }),
          ),
        }),
        // A call that is held would be waited for.
        fc.record<Address>({
          inPath: knownCall(hints),
          query: fc.constantFrom<Address['query']>({}, { wait: '0' }),
        }),
      ),
      headers: fc.record(parametersIn('header'), { requiredKeys: [] }),
      extra: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, wrongHeaders),
      key: fc.oneof({ weight: 8, arbitrary: fc.constant<string | undefined>(authorization) }, wrongKey),
      body: operation.requestBody === undefined ? fc.constant(undefined) : bodyOf(document, described, hints),
      method: fc.oneof(
        { weight: 19, arbitrary: fc.constant(method.toUpperCase()) },
        fc.constantFrom('PUT', 'PATCH', 'DELETE', 'OPTIONS'),
      ),
    })
    .map(({ address, headers, extra, key, body, method: verb }) => ({
      operation: `${method.toUpperCase()} ${path}`,
      method: verb,
      path: addressOf(path, address),
      headers: {
        ...(key === undefined ? {} : { authorization: key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
        ...extra,
      },
      body,
    }));
}

const anyWord = fc.oneof(
  fc.constantFrom('wait', 'call', '__proto__', '1', '30'),
  fc.string({ maxLength: 12 }),
);
const headerText = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,40}$/);
const wrongHeaders: Arbitrary<Record<string, string>> = fc.oneof(
  headerText.map((text) => ({ 'content-type': text })),
  headerText.map((text) => ({ 'idempotency-key': text })),
  headerText.map((text) => ({ traceparent: text })),
  headerText.map((text) => ({ 'interlock-agent': text, 'interlock-call': text })),
  fc.constant({ 'x-long': 'x'.repeat(20_000) }),
);
const wrongKey = fc.oneof(fc.constant(undefined), headerText, fc.constant(`Bearer ilk_${'0'.repeat(43)}`));

/** Some call of the ones that were made, in place of the name of one. */
function knownCall({ calls }: Hints): Arbitrary<Record<string, string>> {
  return fc.nat().map((index): Record<string, string> => {
    const known = calls();
    return { call: known[index % Math.max(1, known.length)] ?? 'c_none' };
  });
}

interface Address {
  inPath: Record<string, string>;
  query: Record<string, string | undefined>;
}

function addressOf(path: string, { inPath, query }: Address): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(inPath[name] ?? ''));
  const search = new URLSearchParams(JSON.parse(JSON.stringify(query))).toString();
  return search === '' ? filled : `${filled}?${search}`;
}

function bodyOf(document: OpenApi, { path, operation }: Operation, { bodies }: Hints): Arbitrary<string> {
  const valid = valueFor(operation.requestBody?.content['application/json']?.schema, document);
  // Most of what only the document says names no tool; the hints do.
  const said = fc.oneof({ weight: 1, arbitrary: valid }, { weight: 5, arbitrary: bodies[path] ?? valid });
  return fc.oneof(
    { weight: 4, arbitrary: said.map((value) => JSON.stringify(value)) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(said, fc.nat({ max: 1_000 }), fc.jsonValue())
        .map(([value, at, other]) => JSON.stringify(spoil(value, at, other))),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(said, fc.nat(), fc.string({ maxLength: 3 }))
        .map(([value, at, other]) => cut(value, at, other)),
    },
    { weight: 1, arbitrary: fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })) },
  );
}

/** Puts another value into the place of one member, somewhere inside, or adds one. */
function spoil(value: unknown, at: number, other: unknown): unknown {
  if (typeof value !== 'object' || value === null) return other;
  const members = Object.entries(value);
  const member = members[at % (members.length + 1)];
  if (member === undefined) return { ...value, extra: other };
  const [name, inner] = member;
  const next = Math.floor(at / (members.length + 1));
  return { ...value, [name]: next % 2 === 0 ? other : spoil(inner, Math.floor(next / 2), other) };
}

/** Replaces one character of the text. */
function cut(value: unknown, at: number, other: string): string {
  const text = JSON.stringify(value);
  const place = at % text.length;
  return `${text.slice(0, place)}${other}${text.slice(place + 1)}`;
}

function textOf(value: Arbitrary<unknown>): Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: value.map(String) },
    { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{1,80}$/) },
  );
}

/** Sends a request as it was drawn, however wrong it is. */
export async function sendDrawn(origin: string, { method, path, headers, body }: Drawn): Promise<Answered> {
  const { hostname, port } = new URL(origin);
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  // Without its length, Node sends the body of a DELETE or OPTIONS as if it were the next request.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const outgoing = httpRequest({
    ...{ hostname, port, method, path, signal },
    headers: { ...headers, ...length },
  });
  outgoing.end(body);
  const [incoming]: IncomingMessage[] = await once(outgoing, 'response');
  if (incoming === undefined) throw new TypeError('There is no answer.');
  const text = (await buffer(incoming)).toString('utf8');
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, text };
}

/** Returns what is wrong with an answer by the document; undefined when nothing is. */
export function judgeOf(document: OpenApi): (drawn: Drawn, answered: Answered) => string | undefined {
  const ajv = addFormats.default(new Ajv2020({ strict: false }));
  ajv.addSchema(document, DOCUMENT);
  const misfit = (path: readonly PropertyKey[], text: string): string | undefined => {
    const $ref = `${DOCUMENT}#${encodeURI(pointerOf(path))}`;
    return ajv.validate({ $ref }, JSON.parse(text)) ? undefined : ajv.errorsText();
  };
  return ({ operation, method }, { status, headers, text }) => {
    const [verb = '', path = ''] = operation.split(' ');
    const mediaType = headers['content-type'] ?? 'none';
    const responses = document.paths[path]?.[verb === 'POST' ? 'post' : 'get']?.responses;
    if (method === verb && responses?.[status]?.content[mediaType] !== undefined)
      return misfit(
        ['paths', path, verb.toLowerCase(), 'responses', status, 'content', mediaType, 'schema'],
        text,
      );
    // What the document does not name is answered as the document's problems are.
    if (method !== verb && [400, 404, 405].includes(status) && mediaType === PROBLEM)
      return misfit(['components', 'schemas', 'Problem'], text);
    return `status ${status} with the media type ${mediaType} is not documented`;
  };
}
