import { Fault } from '@interlock/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildUrl } from './url.ts';

/** The same values in every run, so that a failed run can be repeated. */
fc.configureGlobal({ seed: 20_261_121 });

const TEMPLATE = 'https://api.example.com/v1/users/{id}/notes';

describe('[P-http-escaping] a URL template', () => {
  test.each([
    ['nothing', {}],
    ['null', { id: null }],
    ['a property every object has', Object.create({ id: 'inherited' })],
  ])('reports the missing argument: %s', (_what, args) => {
    expect(faultOf(() => buildUrl(TEMPLATE, args))).toMatchObject({
      code: 'template_argument_missing',
      pointer: '/id',
    });
  });

  test.each([
    '',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '.%2e',
    '%252e%252e',
    '%25252e',
    'a\nb',
    'a\u0000b',
    '\ud800',
    'a\u007f',
    '../x',
    'a/b',
    'a\\b',
    '..\\x',
    '%2e%2e%2fx',
    '..%2fx',
    '..%252fx',
    '..%5cx',
    '..%25255cx',
    '%c0%ae%c0%ae',
    'x%c0%afy',
    '%u002e%u002e',
    '%%32%65',
    '\uff0e\uff0e',
    'a\uff0fb',
    '\u2025',
    '...',
    '..;x=y',
    '.. ',
    '..%00',
    '..?x',
    `%${'25'.repeat(10)}2e`,
  ])('refuses %j as a path segment', (id) => {
    expect(faultOf(() => buildUrl(TEMPLATE, { id }))).toMatchObject({
      code: 'template_argument_refused',
      pointer: '/id',
    });
  });

  test.each([
    { id: {} },
    { id: [{}] },
    { id: [] },
    { id: Number.NaN },
    { id: Number.POSITIVE_INFINITY },
    { id: () => 'a' },
  ])('refuses other values than strings, numbers and booleans', (args) =>
    expect(faultOf(() => buildUrl(TEMPLATE, args)).code).toBe('template_argument_refused'),
  );

  test('refuses dots that two placeholders make together', () => {
    expect(faultOf(() => buildUrl('https://h.example/.{a}/x', { a: '.' })).code).toBe(
      'template_argument_refused',
    );
    expect(faultOf(() => buildUrl('https://h.example/%2{a}/x', { a: 'e' })).code).toBe(
      'template_argument_refused',
    );
  });

  test.each(['', '.', '..', 'a/../b', 'a//b', '/a', 'a/', 'a/%2e%2e/b', 'a%2fb', 'a\\b', 'a/..;x/b'])(
    'refuses %j as several path segments',
    (path) => {
      expect(faultOf(() => buildUrl('https://h.example/files/{+path}', { path }))).toMatchObject({
        code: 'template_argument_refused',
        pointer: '/path',
      });
    },
  );

  test('takes slashes where the template allows them, and keeps an encoded one that it has itself', () => {
    expect(buildUrl('https://h.example/files/{+path}/raw', { path: 'a b/c.txt' })).toBe(
      'https://h.example/files/a%20b/c.txt/raw',
    );
    expect(buildUrl('https://h.example/p/group%2F{name}', { name: 'x' })).toBe(
      'https://h.example/p/group%2Fx',
    );
    expect(faultOf(() => buildUrl('https://h.example/a%2{x}', { x: 'f' })).code).toBe(
      'template_argument_refused',
    );
  });

  test('is expanded as RFC 6570 says', () => {
    const args = {
      var: 'value',
      hello: 'Hello World!',
      path: 'foo/bar',
      x: 1024,
      y: 768,
      list: ['red', 'a/b'],
    };
    const expand = (template: string) => buildUrl(`https://h.example${template}`, args).slice(17);
    const list = ['red', 'green'];
    expect(expand('/{var}/{x,y}/{hello}')).toBe('/value/1024,768/Hello%20World%21');
    expect(expand('/{+path}/here')).toBe('/foo/bar/here');
    expect(expand('/a{/var,x}/here')).toBe('/a/value/1024/here');
    expect(expand('/X{.x,y}')).toBe('/X.1024.768');
    expect(expand('/a{;x,y}')).toBe('/a;x=1024;y=768');
    expect(expand('/a{/absent}{;absent}{.absent}{?absent}')).toBe('/a');
    expect(buildUrl('https://h.example/a{/list*}{?list,list*}', { list })).toBe(
      'https://h.example/a/red/green?list=red,green&list=red&list=green',
    );
    for (const template of ['/{list}', '/a{/list*}', '/a{.list}', '/a{;list}'])
      expect(faultOf(() => expand(template)).code, template).toBe('template_argument_refused');
  });

  test.each(['..', '.', '', '%2e%2e', 'a/..', '..;x'])('refuses %j in every place of a path', (v) => {
    for (const template of ['/a{/v}', '/a/{v}', '/a/{+v}', '/a{/v*}', '/a/{v,w}', '/a/{+v,w}', '/a/.{v}'])
      expect(faultOf(() => buildUrl(`https://h.example${template}`, { v, w: v })).code, template).toBe(
        'template_argument_refused',
      );
  });

  test('has names as APIs have them', () => {
    expect(
      buildUrl('https://h.example/a{?$filter,filter[status]}', {
        $filter: "a eq 'b'",
        'filter[status]': 'open',
      }),
    ).toBe('https://h.example/a?$filter=a%20eq%20%27b%27&filter[status]=open');
  });

  test('takes a host from values that the schema lists, and from nothing else', () => {
    const listed = (values: unknown) => ({ properties: { region: { enum: values } } });
    const build = (region: unknown, schema: object) =>
      buildUrl('https://{region}.h.example/a', { region }, { schema: { ...schema } });
    expect(build('eu', listed(['eu', 'us']))).toBe('https://eu.h.example/a');
    for (const [region, schema] of [
      ['uk', listed(['eu', 'us'])],
      ['eu', {}],
      ['eu', { properties: { region: { type: 'string' } } }],
      ['evil.example/', listed(['evil.example/'])],
      ['eu', listed(['eu', 'evil.example#'])],
      ['eu.evil', listed(['eu.evil'])],
      [['eu'], listed(['eu'])],
    ] as const)
      expect(faultOf(() => build(region, schema)).code).toBe('template_argument_refused');
  });

  test('refuses a URL longer than servers accept', () => {
    expect(faultOf(() => buildUrl(TEMPLATE, { id: 'a'.repeat(9000) })).code).toBe(
      'template_argument_refused',
    );
  });

  test.each([
    '{scheme}://h.example/a',
    'https://{+host}/a',
    'https://{user}@h.example/a',
    'https://user@h.example/a',
    'https://h.example/a?q={q}',
    'https://h.example/a{?q}/b',
    'https://h.example/a{?q}{f}',
    'https://h.example/a#{f}',
    'https://h.example/a{#f}',
    'https://h.example/a{|f}',
    'https://h.example/a{}',
    'https://h.example/a{q:3}',
    'https://h.example/a/../b',
    'https://h.example/a/%2e%2e/b',
    'https://h.example/{a b}',
    'https://h.example/{a',
    'https://h.example\\evil/a',
    'https://h.example',
    'ftp://h.example/a',
    '//h.example/a',
  ])('refuses a template that an argument could change: %s', (template) => {
    const args = { scheme: 'https', host: 'h', port: '1', user: 'u', q: 'q', f: 'f', a: 'a' };
    expect(faultOf(() => buildUrl(template, args)).code).toBe('configuration_invalid');
  });

  test('escapes an argument so that it stays one segment', () => {
    expect(buildUrl(TEMPLATE, { id: "a?c#d%41;'()*! ü" })).toBe(
      'https://api.example.com/v1/users/a%3Fc%23d%2541%3B%27%28%29%2A%21%20%C3%BC/notes',
    );
    expect(buildUrl(TEMPLATE, { id: 7, other: 'ignored' })).toBe('https://api.example.com/v1/users/7/notes');
    expect(buildUrl('https://h.example/r/{owner}.git', { owner: 'x' })).toBe('https://h.example/r/x.git');
  });

  test('writes query values that cannot become further parameters', () => {
    const args = { q: 'a&b=c#d', n: 1, tag: ['x', 'y,z'] };
    expect(buildUrl('https://h.example/s{?q,n,tag*}', args)).toBe(
      'https://h.example/s?q=a%26b%3Dc%23d&n=1&tag=x&tag=y%2Cz',
    );
    expect(buildUrl('https://h.example/s{?q,absent}{&tag}', args)).toBe(
      'https://h.example/s?q=a%26b%3Dc%23d&tag=x,y%2Cz',
    );
    expect(faultOf(() => buildUrl('https://h.example/s{?q}', { q: '\ud800' })).pointer).toBe('/q');
  });

  test('never leaves its origin and never changes its number of segments, whatever the arguments are', () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom('.', '/', '%', '2', 'e', 'E', 'f', '\\', '?', '#', '@', ':', ';', ' ', '\t'),
      }),
    );
    fc.assert(
      fc.property(nasty, nasty, (first, second) => {
        const url = build({ first, second });
        if (url === undefined) return;
        expect(url.origin).toBe('https://h.example');
        expect(url.username + url.search + url.hash).toBe('');
        const segments = url.pathname.split('/');
        expect(segments.slice(0, 2)).toEqual(['', 'a']);
        expect(segments.length).toBe(5);
        expect(segments[2] === undefined ? undefined : decodeURIComponent(segments[2])).toBe(first);
        expect(segments[4] === undefined ? undefined : decodeURIComponent(segments[4])).toBe(`x-${second}`);
      }),
      { numRuns: 2000 },
    );
  });
});

test('[P-http-escaping] no server that decodes before it splits is led out of the folder, whatever the arguments are', () => {
  const nasty = fc.array(
    fc.constantFrom(
      '.',
      '..',
      '/',
      '\\',
      '%2e',
      '%2F',
      '%5c',
      '%25',
      '25',
      '2e',
      '2f',
      'a',
      ';',
      '%c0%ae',
      '．',
    ),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(nasty, nasty, (first, second) => {
      const args = { first: first.join(''), second: second.join('') };
      for (const template of [
        'https://h.example/a/{first}/x-{second}',
        'https://h.example/a/{+first}/{second}',
      ]) {
        let path = urlOf(template, args)?.pathname ?? '/a/b';
        for (let layer = 0; layer < 4; layer += 1) {
          expect(
            new URL(path.replaceAll('\\', '/').replaceAll('//', '/'), 'https://h.example').pathname,
          ).toMatch(/^\/a\/./);
          path = decoded(path);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

function urlOf(template: string, args: Record<string, string>): URL | undefined {
  try {
    return new URL(buildUrl(template, args));
  } catch (cause) {
    expect(cause).toBeInstanceOf(Fault);
    return undefined;
  }
}

function decoded(path: string): string {
  return path
    .replaceAll(/%c0%ae/gi, '.')
    .replaceAll(/%([0-7][0-9a-f])/gi, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .normalize('NFKC');
}

function build(args: Record<string, string>): URL | undefined {
  return urlOf('https://h.example/a/{first}/b/x-{second}', args);
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
