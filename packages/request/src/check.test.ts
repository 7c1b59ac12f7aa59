import { credentialUsesSchema, httpTargetSchema } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { checkDefinition } from './check.ts';

const text = { type: 'string' };
const schema = {
  type: 'object',
  properties: { id: text, n: { type: 'integer' }, tags: { type: 'array' }, about: { type: 'object' } },
};

function mistakes(
  target: object,
  inputSchema: object = schema,
  credential: z.input<typeof credentialUsesSchema> = [],
) {
  const { kind, ...parsed } = httpTargetSchema.parse({
    kind: 'http',
    method: 'POST',
    url: 'https://api.example.com/x',
    egress: { allow: ['api.example.com'] },
    ...target,
  });
  return checkDefinition({
    target: parsed,
    inputSchema: { ...inputSchema },
    credential: credentialUsesSchema.parse(credential),
  });
}

test('[P-definition-checked] a definition that has a place for everything is taken', () => {
  expect(mistakes({})).toEqual([]);
  expect(mistakes({ url: 'https://api.example.com/{id}{?n,tags*}', body: ['about'] })).toEqual([]);
  expect(
    mistakes(
      { method: 'GET', query: { a: '{id} {n}', tags: '{tags}' }, headers: { 'X-A': 'v={id}' } },
      {
        type: 'object',
        properties: { id: text, n: text, tags: { type: 'array' } },
      },
    ),
  ).toEqual([]);
  expect(
    mistakes({
      body: { json: { query: 'query { a }', v: { id: '{id}', n: '{n}', t: '{tags}', o: '{about}' } } },
    }),
  ).toEqual([]);
  expect(
    mistakes(
      { method: 'GET', url: 'https://{r}.example.com/x' },
      { properties: { r: { enum: ['eu', 'us'] } } },
    ),
  ).toEqual([]);
});

describe('[P-definition-checked] a definition is refused', () => {
  test.each([
    [
      'that drops arguments of a GET',
      { method: 'GET', query: { id: '{id}' } },
      ['body'],
      /no place for n, tags, about/,
    ],
    [
      'that drops arguments of a DELETE',
      { method: 'DELETE', url: 'https://a.example/{id}' },
      ['body'],
      /n, tags, about/,
    ],
    [
      'that drops an argument of a listed body',
      { body: ['id', 'n', 'tags'] },
      ['body'],
      /no place for about/,
    ],
    ['with a query in its URL', { url: 'https://a.example/x?v=1' }, ['url'], /under `query`/],
    [
      'with a placeholder in the host that is no enum',
      { url: 'https://{id}.example/x' },
      ['url'],
      /every value/,
    ],
    ['with a fragment', { url: 'https://a.example/x{#id}' }, ['url'], /URL template/],
    ['with a list inside a text of the query', { query: { q: 'x {tags}' } }, ['query', 'q'], /plain values/],
    ['with an object in a header', { headers: { 'X-A': '{about}' } }, ['headers', 'X-A'], /plain values/],
    ['with an object in the path', { url: 'https://a.example/{about}' }, ['url'], /plain values/],
    [
      'with an object inside a text of the body',
      { body: { json: { id: '{id}', n: '{n}', t: '{tags}', a: 'x{about}' } } },
      ['body', 'json', 'a'],
      /plain values/,
    ],
    [
      'that repeats what is no list',
      { body: { json: { all: '{id}', n: ['{n*}'], t: '{tags}', a: '{about}' } } },
      ['body', 'json', 'n', 0],
      /only a list/,
    ],
    [
      'that repeats outside of a list',
      { body: { json: { id: '{id}', n: '{n}', t: '{tags*}', a: '{about}' } } },
      ['body', 'json', 't'],
      /stands in none/,
    ],
    [
      'that repeats one element for two arguments',
      { body: { json: [{ a: '{tags*}', b: '{about*}' }, '{id}', '{n}'] } },
      ['body', 'json', 0, 'b'],
      /repeated for \{tags\*\} already/,
    ],
    [
      'with a brace that begins nothing',
      { headers: { 'X-A': 'a {b' } },
      ['headers', 'X-A'],
      /begins no placeholder/,
    ],
    ['with a blank in a placeholder', { query: { q: '{a b}' } }, ['query', 'q'], /begins no placeholder/],
    ['with a header twice', { headers: { 'X-A': '1', 'x-a': '2' } }, ['headers', 'x-a'], /twice/],
    ['with a header of the gateway', { headers: { Host: 'x' } }, ['headers', 'Host'], /set by the gateway/],
    [
      'with the media type of a body as a header',
      { headers: { 'Content-Type': 'x/y' } },
      ['headers', 'Content-Type'],
      /form: all/,
    ],
    [
      'with the key header twice',
      { headers: { 'X-Key': 'x' }, idempotencyHeader: 'x-key' },
      ['headers', 'X-Key'],
      /idempotencyHeader/,
    ],
  ])('%s', (_title, target, path, words) => {
    const found = mistakes(target);
    expect(found.map((mistake) => mistake.path)).toContainEqual(path);
    expect(found.find((mistake) => mistake.path.join() === path.join())?.text).toMatch(words);
  });
});

describe('[P-definition-checked] a credential is refused', () => {
  const bearer = { name: 'a', inject: { as: 'bearer' } } as const;
  const header = (name: string) => ({ name: 'b', inject: { as: 'header', header: name } }) as const;
  const placeholder = { name: 'c', inject: { as: 'placeholder', placeholder: 'token' } } as const;
  test.each([
    ['where the tool fills its header', { headers: { 'X-Key': 'x' } }, [header('x-key')], /x-key is already/],
    ['where another one does', {}, [bearer, header('Authorization')], /authorization is already/],
    [
      'where the tool fills its parameter',
      { query: { key: 'x' } },
      [{ name: 'd', inject: { as: 'query', parameter: 'key' } }],
      /parameter key is already/,
    ],
    ['whose placeholder stands nowhere', {}, [placeholder], /\{token\} stands nowhere/],
    [
      'whose placeholder is an argument',
      { url: 'https://a.example/{id}' },
      [{ name: 'c', inject: { as: 'placeholder', placeholder: 'id' } }],
      /\{id\} is already filled/,
    ],
    ['that is half of a pair', {}, [{ name: 'u', inject: { as: 'basic-username' } }], /go together/],
  ] as const)('%s', (_title, target, credential, words) => {
    expect(
      mistakes(target, schema, [...credential])
        .map(({ text: said }) => said)
        .join(),
    ).toMatch(words);
  });

  test('not where each has a place of its own', () => {
    expect(
      mistakes({ url: 'https://a.example/bot{token}' }, schema, [bearer, header('X-Key'), placeholder]),
    ).toEqual([]);
  });
});
