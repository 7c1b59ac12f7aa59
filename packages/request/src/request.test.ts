import { Fault, type HttpTarget, httpTargetSchema } from '@interlock/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildRequest } from './request.ts';

/** The same values in every run, so that a failed run can be repeated. */
fc.configureGlobal({ seed: 20_261_128 });

function targetOf(changes: object): HttpTarget {
  return httpTargetSchema.parse({
    kind: 'http',
    method: 'POST',
    url: 'https://api.example.com/x',
    egress: { allow: ['api.example.com'] },
    ...changes,
  });
}

function build(target: object, args: Record<string, unknown>) {
  const request = buildRequest({ target: targetOf(target), inputSchema: {}, credential: [] }, args, 'call_1');
  const body = request.body === undefined ? undefined : Buffer.from(request.body).toString('utf8');
  return { ...request, body, search: new URL(request.url).search };
}

function faultOf(act: () => unknown): Fault {
  try {
    act();
  } catch (cause) {
    if (cause instanceof Fault) return cause;
    throw cause;
  }
  throw new Error('Nothing was refused.');
}

describe('[P-http-escaping] no request is built', () => {
  test.each([
    [
      'without an argument the URL needs',
      { url: 'https://api.example.com/{id}' },
      {},
      'template_argument_missing',
      '/id',
    ],
    [
      'from an argument that would leave its segment',
      { url: 'https://api.example.com/{id}' },
      { id: '..' },
      'template_argument_refused',
      '/id',
    ],
    [
      'from a line end in a header',
      { headers: { 'X-Note': 'v={note}' } },
      { note: 'a\r\nX: y' },
      'header_argument_refused',
      '/note',
    ],
    [
      'from a list in a header',
      { headers: { 'X-Note': '{note}' } },
      { note: ['a'] },
      'header_argument_refused',
      '/note',
    ],
    [
      'from an object in the query',
      { query: { q: '{q}' } },
      { q: { a: 1 } },
      'template_argument_refused',
      '/q',
    ],
    [
      'from a list inside a text',
      { query: { q: 'is:{q}' } },
      { q: ['a'] },
      'template_argument_refused',
      '/q',
    ],
    [
      'from an object inside a text',
      { body: { json: { a: 'x{q}' } } },
      { q: {} },
      'template_argument_refused',
      '/q',
    ],
    ['from half a character', { query: { q: '{q}' } }, { q: '\ud800' }, 'template_argument_refused', '/q'],
    [
      'from brackets in the name of a member of a form',
      { body: { form: { q: '{q}' } } },
      { q: { 'a][b': 1 } },
      'template_argument_refused',
      '/q',
    ],
    [
      'from a list of objects that its style cannot write',
      { body: { form: 'all', lists: 'brackets' } },
      { q: [{ a: 1 }] },
      'template_argument_refused',
      '/q',
    ],
    [
      'from a file that is not base64',
      { body: { base64: '{q}' } },
      { q: 'a b' },
      'template_argument_refused',
      '/q',
    ],
    [
      'from one value where a list is repeated',
      { body: { json: { to: ['{q*}'] } } },
      { q: 'a' },
      'template_argument_refused',
      '/q',
    ],
    [
      'from a line end in the media type of a file',
      { body: { multipart: { f: { file: '{q}', mediaType: '{t}' } } } },
      { q: 'YQ==', t: 'a/b\r\nX: y' },
      'template_argument_refused',
      '/t',
    ],
    [
      'with one header twice',
      { headers: { 'Content-Type': 'text/plain' } },
      {},
      'configuration_invalid',
      undefined,
    ],
  ])('%s', (_title, target, args, code, pointer) => {
    expect(faultOf(() => build(target, args))).toMatchObject({ code, pointer });
  });
});

describe('a request holds', () => {
  test('each argument once: in the URL, the query, a header, else in the JSON body', () => {
    const target = {
      url: 'https://api.example.com/blogs/{blog}{?page}',
      query: { lang: '{lang}' },
      headers: { 'X-Fixed': 'yes', 'X-Note': 'v={note}' },
    };
    const request = build(target, { blog: 'a?b', page: 2, lang: 'de', note: 'n', title: 'T', tags: ['x'] });
    expect(request.url).toBe('https://api.example.com/blogs/a%3Fb?page=2&lang=de');
    expect(request.headers).toEqual({
      'X-Fixed': 'yes',
      'X-Note': 'v=n',
      'content-type': 'application/json',
    });
    expect(request.body).toBe('{"title":"T","tags":["x"]}');
  });

  test('only the named arguments in the body, and none where the tool or the method takes none', () => {
    expect(build({ body: ['title'] }, { title: 'T', more: 1 }).body).toBe('{"title":"T"}');
    expect(build({ body: 'none' }, { title: 'T' }).body).toBeUndefined();
    expect(build({ method: 'GET' }, { title: 'T' }).body).toBeUndefined();
    expect(build({ method: 'DELETE', body: { json: 'all' } }, { title: 'T' }).body).toBe('{"title":"T"}');
  });

  test('no header, parameter or member for an argument that is not there', () => {
    const target = {
      query: { q: '{q}', both: '{q} {r}' },
      headers: { 'X-Note': '{note}' },
      body: { json: { a: '{a}', in: { b: 'x{b}' }, list: ['{c}'] } },
    };
    const request = build(target, { r: 1, c: null });
    expect(request.url).toBe('https://api.example.com/x');
    expect(request.headers).toEqual({ 'content-type': 'application/json' });
    expect(request.body).toBe('{}');
  });

  test("the call's id as the upstream's idempotency key", () => {
    expect(build({ idempotencyHeader: 'Idempotency-Key' }, {}).headers['Idempotency-Key']).toBe('call_1');
  });
});

describe('a query holds', () => {
  test.each([
    ['text around arguments', 'repo:{repo} {words}', { repo: 'o/r', words: 'a&b' }, 'q=repo%3Ao%2Fr%20a%26b'],
    ['a list as repeated names', '{l}', { l: ['a', 'b,c'] }, 'q=a&q=b%2Cc'],
    ['a list with commas', { value: '{l}', lists: 'comma' }, { l: ['a', 'b,c'] }, 'q=a,b%2Cc'],
    ['a list with bars', { value: '{l}', lists: 'pipe' }, { l: ['a', 'b'] }, 'q=a%7Cb'],
    ['a list with blanks', { value: '{l}', lists: 'space' }, { l: ['a', 'b'] }, 'q=a%20b'],
    ['a list with brackets', { value: '{l}', lists: 'brackets' }, { l: ['a', 'b'] }, 'q[]=a&q[]=b'],
    ['a list with indices', { value: '{l}', lists: 'indices' }, { l: [{ a: 1 }, 2] }, 'q[0][a]=1&q[1]=2'],
    ['an object where it says how', { value: '{l}', lists: 'brackets' }, { l: { gte: 1 } }, 'q[gte]=1'],
    ['a brace', 'a\\{b} {c}', { c: 1 }, 'q=a%7Bb%7D%201'],
    ['what an argument says as text, never as a template', '{l}', { l: '{m}', m: 'no' }, 'q=%7Bm%7D'],
  ])('%s', (_title, template, args, search) => {
    expect(build({ method: 'GET', query: { q: template } }, args).search).toBe(`?${search}`);
  });

  test('names with signs', () => {
    const query = { $filter: '{$filter}', 'filter[status]': '{filter[status]}' };
    expect(build({ method: 'GET', query }, { $filter: 'a', 'filter[status]': 'open' }).search).toBe(
      '?$filter=a&filter[status]=open',
    );
  });
});

describe('a body is', () => {
  test.each([
    [
      'a form of every argument',
      { form: 'all' },
      { To: '+431', Body: 'hi & bye', l: ['a', 'b'], m: { k: 1 } },
      'To=%2B431&Body=hi+%26+bye&l=a&l=b&m%5Bk%5D=1',
      'application/x-www-form-urlencoded',
    ],
    [
      'a form with fixed and nested members',
      { form: { mode: 'payment', items: [{ price: '{price}', n: 2 }] }, lists: 'indices' },
      { price: 'p1' },
      'mode=payment&items%5B0%5D%5Bprice%5D=p1&items%5B0%5D%5Bn%5D=2',
      'application/x-www-form-urlencoded',
    ],
    [
      'JSON with fixed and nested members that keep their types',
      {
        json: {
          fields: { project: { key: '{project}' }, n: '{n}', text: 'n={n}', on: true, o: '{o}' },
          query: 'query($o: String!) { repository(owner: $o) { id } }',
        },
      },
      { project: 'P', n: 1, o: { a: [1] } },
      '{"fields":{"project":{"key":"P"},"n":1,"text":"n=1","on":true,"o":{"a":[1]}},"query":"query($o: String!) { repository(owner: $o) { id } }"}',
      'application/json',
    ],
    [
      'JSON with an element for each of a list',
      {
        json: {
          to: [{ email: '{to*}', by: '{by}' }, { email: 'all@example.com' }],
          ids: ['id-{ids*}'],
          none: ['{none*}'],
        },
      },
      { to: ['a@b.example', '{to*}'], by: 'me', ids: [1, 2], none: [] },
      '{"to":[{"email":"a@b.example","by":"me"},{"email":"{to*}","by":"me"},{"email":"all@example.com"}],"ids":["id-1","id-2"],"none":[]}',
      'application/json',
    ],
    [
      'JSON without objects and lists that have lost everything',
      { json: { start: { at: '{start}', zone: '{zone}' }, to: [{ email: '{to*}' }], fixed: {}, list: [] } },
      {},
      '{"fixed":{},"list":[]}',
      'application/json',
    ],
    ['an empty object where every member is absent', { json: { a: '{a}' } }, {}, '{}', 'application/json'],
    [
      'one argument as the whole body',
      { json: '{commands}' },
      { commands: [{ name: 'a' }] },
      '[{"name":"a"}]',
      'application/json',
    ],
    [
      'another JSON media type',
      { json: 'all', mediaType: 'application/merge-patch+json' },
      { a: null },
      '{"a":null}',
      'application/merge-patch+json',
    ],
    ['text', { text: '{t}' }, { t: '# hi' }, '# hi', 'text/plain; charset=utf-8'],
    ['bytes', { base64: '{b}', mediaType: 'image/png' }, { b: 'aGk=' }, 'hi', 'image/png'],
    ['bytes in the URL alphabet', { base64: '{b}' }, { b: 'Pj4-' }, '>>>', 'application/octet-stream'],
  ])('%s', (_title, body, args, written, mediaType) => {
    const request = build({ body }, args);
    expect(request.body).toBe(written);
    expect(request.headers['content-type']).toBe(mediaType);
  });

  test('multipart with files, as the parser of the platform reads it', async () => {
    const body = {
      multipart: {
        channel: '{channel}',
        tags: '{tags}',
        about: '{about}',
        upload: { file: '{content}', filename: '{name}', mediaType: 'text/csv' },
        absent: { file: '{none}' },
      },
    };
    const args = {
      channel: 'C1',
      tags: ['a', 'b'],
      about: { k: 1 },
      content: Buffer.from('a,b\r\n').toString('base64'),
      name: 'x".csv\r\nX: y',
    };
    const { headers, body: written } = build({ body }, args);
    const form = await new Response(written, {
      headers: { 'content-type': String(headers['content-type']) },
    }).formData();
    expect([form.get('channel'), form.getAll('tags'), form.has('absent')]).toEqual(['C1', ['a', 'b'], false]);
    const about = form.get('about');
    expect(about).toBe('{"k":1}');
    const upload = form.get('upload');
    if (!(upload instanceof File)) throw new TypeError('The part is a file.');
    expect([upload.type, await upload.text()]).toEqual(['text/csv', 'a,b\r\n']);
    expect(upload.name).toBe('x".csv\r\nX: y');
  });

  test('JSON beside a file, in parts without names', () => {
    const related = [
      { json: { name: '{name}', parents: '{parents}' } },
      { file: '{content}', mediaType: '{type}' },
    ];
    const args = { name: 'Zoë "1"', content: 'YSxiDQo=', type: 'text/csv' };
    const { headers, body } = build({ body: { related } }, args);
    const [, boundary = ''] =
      /^multipart\/related; boundary=(.+)$/.exec(String(headers['content-type'])) ?? [];
    expect(body).toBe(
      [
        `--${boundary}`,
        'Content-Type: application/json; charset=UTF-8',
        '',
        '{"name":"Zoë \\"1\\""}',
        `--${boundary}`,
        'Content-Type: text/csv',
        '',
        'a,b\r\n',
        `--${boundary}--`,
        '',
      ].join('\r\n'),
    );
  });

  test('a form or multipart from which every value comes back, whatever it is', async () => {
    const values = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 8 }).filter((name) => !/[[\]]/.test(name) && name !== '__proto__'),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      { maxKeys: 5 },
    );
    await fc.assert(
      fc.asyncProperty(values, async (args) => {
        const form = build({ body: { form: 'all' } }, args);
        expect(Object.fromEntries(new URLSearchParams(form.body))).toEqual(args);
        const sorted = Object.entries(args).map(([name, value]) => [
          name,
          value.replaceAll(/\r\n?|\n/g, '\n'),
        ]);
        const multipart = build({ body: { multipart: 'all' } }, args);
        if (Object.keys(args).length === 0) return;
        const parsed = await new Response(multipart.body, {
          headers: { 'content-type': String(multipart.headers['content-type']) },
        }).formData();
        const read = [...parsed].map(([name, value]) => [name, String(value).replaceAll(/\r\n?|\n/g, '\n')]);
        expect(Object.fromEntries(read)).toEqual(Object.fromEntries(sorted));
      }),
      { numRuns: 300 },
    );
  });
});
