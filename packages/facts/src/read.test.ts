import { factsSchema, type Json, localServerSchema, type Parse } from '@interlock/contracts';
import { processorMs } from '@interlock/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { createFactReader } from './read.ts';
import { toolOf } from './rule.fixture.ts';

const reader = createFactReader();
afterAll(() => reader[Symbol.asyncDispose]());

const KIBIBYTE = 1_024;
const connection = localServerSchema.parse({ transport: 'stdio', command: 'node' });
const digest = 'a'.repeat(64);

/** A tool without a destination of its own, so that only what stands in the arguments counts. */
function upstreamTool(...parse: Parse[]) {
  const target = {
    kind: 'mcp' as const,
    server: 'files',
    name: 'x',
    connection,
    definitionDigest: digest,
    pinnedDigest: digest,
    timeoutMs: 1_000,
  };
  return toolOf({ parse, target });
}

async function read(parse: Parse | Parse[], parsed: Record<string, Json>, destinations: string[] = []) {
  const tool = upstreamTool(...(Array.isArray(parse) ? parse : [parse]));
  const facts = await reader.read(tool, parsed, { used: { tools: [], destinations } });
  expect(factsSchema.parse(facts)).toEqual(facts);
  return facts;
}

const sql = { at: '/a', as: 'sql', dialect: 'postgresql' } as const;
const shell = { at: '/a', as: 'shell' } as const;
const path = { at: '/a', as: 'path' } as const;
const url = { at: '/a', as: 'url' } as const;
const recipients = { at: '/a', as: 'recipients' } as const;
const lists = {
  sql: 'sql',
  shell: 'shell',
  path: 'paths',
  url: 'destinations',
  recipients: 'recipients',
} as const;

describe('[P-facts-parsed] an argument is unreadable', () => {
  test.each([sql, shell, path, url, recipients])('when it is not a text: $as', async (parse) => {
    for (const value of [1, null, true, { text: 'ls' }, '', ' '.repeat(100_000)])
      expect((await read(parse, { a: value }))[lists[parse.as]]).toEqual([{ at: '/a', readable: false }]);
    expect((await read(parse, { a: [1, ['x']] }))[lists[parse.as]]).toEqual([
      { at: '/a/0', readable: false },
      { at: '/a/1', readable: false },
    ]);
  });

  test.each([sql, shell, path, url, recipients])(
    'when its list is longer than a list may be: $as',
    async (parse) => {
      const many = Array.from({ length: 257 }, () => 'x');
      expect((await read(parse, { a: many }))[lists[parse.as]]).toEqual([{ at: '/a', readable: false }]);
    },
  );

  test.each([sql, shell, path, url, recipients])('as long as its list can be: $as', async (parse) => {
    const many = Array.from({ length: 256 }, () => 'x'.repeat(2 * KIBIBYTE));
    const facts = await read(parse, { a: many });
    expect(Buffer.byteLength(JSON.stringify(facts))).toBeLessThan(48 * KIBIBYTE);
    expect(facts[lists[parse.as]].some(({ readable }) => !readable)).toBe(true);
  });

  test('and has no fact when it is absent', async () => {
    for (const parse of [sql, shell, path, url, recipients])
      expect((await read(parse, { b: 'x' }))[lists[parse.as]]).toEqual([]);
    expect((await read({ at: '/a/01', as: 'path' }, { a: ['x', 'y'] })).paths).toEqual([]);
    expect((await read({ at: '/__proto__/x', as: 'path' }, {})).paths).toEqual([]);
  });
});

test('[P-facts-parsed] facts of many arguments fit into the input of policy: the largest list becomes one unreadable fact', async () => {
  const many = Array.from({ length: 200 }, (_, index) => `/data/${'x'.repeat(400)}/${index}`);
  const facts = await read([path, { ...shell, at: '/b' }], { a: many, b: 'ls' });
  expect(facts.paths).toEqual([{ at: '', readable: false }]);
  expect(facts.shell).toMatchObject([{ readable: true }]);
});

test('[P-facts-parsed] each fact names its argument, in the order of the tool’s list', async () => {
  const facts = await read([{ ...path, at: '/from' }, { ...path, at: '/to' }, sql], {
    to: '/b',
    from: ['/a', '/c'],
    a: 'select 1',
  });
  expect(facts.paths).toMatchObject([
    { at: '/from/0', path: '/a' },
    { at: '/from/1', path: '/c' },
    { at: '/to', path: '/b' },
  ]);
  expect(facts.sql).toMatchObject([{ at: '/a', dialect: 'postgresql', statements: [{ kind: 'select' }] }]);
});

describe('[P-facts-parsed] a path', () => {
  test.each([
    '../x',
    'a/../../b',
    '..',
    'a/..',
    '/..',
    'a\\..\\b',
    '..\\x',
    '..%2fx',
    '%2e%2e/x',
    '%2e%2e%2fx',
    '.%2e/x',
    '%252e%252e/x',
    '%25252e%25252e%25252fx',
    '..%5cx',
    '%c0%ae%c0%ae/x',
    '..%c0%afx',
    '%u002e%u002e/x',
    'a/.. /b',
    'a/../',
    'a/..;x=1/b',
    '\uff0e\uff0e/x',
    '\u2025/x',
    '..\uff0fx',
    'a/..%00/b',
    'a//../b',
    '...',
  ])('that leads upwards is recognised: %s', async (text) => {
    const [fact] = (await read(path, { a: text })).paths;
    expect(fact === undefined || !fact.readable || fact.traverses).toBe(true);
  });

  test.each(['a\0b', 'a\nb', 'a\u007fb'])('with a NUL or a control character is unreadable', async (text) => {
    expect((await read(path, { a: text })).paths).toEqual([{ at: '/a', readable: false }]);
  });

  test.each(['/x', '//x', '\\x', '\\\\host\\x', 'C:\\x', 'c:x', '~/x', '~root', 'file:///x', '%2fx', ' /x'])(
    'that leaves where one stands is absolute: %s',
    async (text) => expect((await read(path, { a: text })).paths).toMatchObject([{ absolute: true }]),
  );

  test.each([
    ['a/./b/../c', 'a/c', ['a', 'c'], false, true],
    ['a//b/', 'a/b', ['a', 'b'], false, false],
    ['/srv/data/x.txt', '/srv/data/x.txt', ['srv', 'data', 'x.txt'], true, false],
    ['a..b/c', 'a..b/c', ['a..b', 'c'], false, false],
    ['/', '/', [], true, false],
    ['.', '.', ['.'], false, false],
  ])(
    'is normalized, and says whether it is absolute and leads upwards: %s',
    async (text, normalized, segments, absolute, traverses) => {
      expect((await read(path, { a: text })).paths).toEqual([
        { at: '/a', readable: true, path: text, normalized, absolute, traverses, segments },
      ]);
    },
  );
});

describe('[P-facts-parsed] recipients', () => {
  test.each([
    'a@b.com\r\nBcc: x@y.z',
    'a@b.com\nx@y.z',
    'a@b.com;c@d.com',
    'a@b.com c@d.com',
    'a@b.com,',
    '@b.com',
    'a@',
    'a',
    '<@x,@y:a@b.com>',
    '"x@evil.com x"@b.com',
    'a@b.com (c@evil.com)',
    '"c@d.com" <a@b.com>',
    'a@b.com <c@d.com>',
    '"a b"@c.com',
    'a@[127.0.0.1]',
    'a@b%2ecom',
    'a@0x7f.1',
    'a@b..com',
    'a@-b.com',
    'a@b.com\u200b',
    'a@b\u3002',
    'undisclosed-recipients:;',
    'Doe, Ann <a@b.com>',
    `${'x'.repeat(65)}@b.com`,
    'a@b.com\0',
    'a@\u202eb.com',
  ])('that programs could read differently are unreadable: %j', async (text) => {
    expect((await read(recipients, { a: text })).recipients).toEqual([{ at: '/a', readable: false }]);
  });

  test.each([
    ['a@b.com', ['a@b.com']],
    ['A.b+c@B.Com', ['A.b+c@b.com']],
    [' a@b.com , c@d.com ', ['a@b.com', 'c@d.com']],
    ['Ann <a@b.com>', ['a@b.com']],
    ['"Doe, Ann" <a@b.com>, c@d.com', ['a@b.com', 'c@d.com']],
    ['team: a@b.com, Ann <c@d.com>;', ['a@b.com', 'c@d.com']],
    ['a@b.com (Ann)', ['a@b.com']],
    ['a@bücher.example', ['a@xn--bcher-kva.example']],
    ['ü@b.com', ['ü@b.com']],
    ['a@xn--bcher-kva.example', ['a@xn--bcher-kva.example']],
  ])('are each found: %s', async (text, addresses) => {
    const found = (await read(recipients, { a: text })).recipients;
    expect(found.map((one) => one.readable && one.address)).toEqual(addresses);
  });

  test('are read in time, however they are written', async () => {
    const worst = ['(', '"a" ', 'a ', '(x)', '\\"', 'g:a@b.c;,', '<', 'a@b.com,', ' '];
    for (const unit of worst) {
      const texts = Array.from({ length: 8 }, () => unit.repeat(Math.floor(KIBIBYTE / unit.length)));
      const took = await processorMs(async () => {
        await read(recipients, { a: texts });
        await read(recipients, { a: texts.slice(0, 2) });
      });
      expect(took, unit).toBeLessThan(2_000);
    }
  });
});

describe('[P-facts-parsed] destinations', () => {
  test.each([
    'example.com',
    '//example.com',
    '/x',
    'https:example.com',
    'https:/example.com',
    'https:///example.com',
    'https://exa mple.com',
    'https://example.com\n',
    '\thttps://example.com',
    'https:\\\\example.com',
    'https://a\\@example.com',
    'https://',
    'https://example.com:99999',
    'https://[::1',
    'https://a%00b.com',
    'ht\ntps://example.com',
    ' https://example.com',
  ])('that are not certain are unreadable: %j', async (text) => {
    expect((await read(url, { a: text })).destinations).toEqual([{ at: '/a', readable: false }]);
  });

  test.each([
    ['https://example.com', 'https://example.com', 'example.com', false],
    ['https://EXAMPLE.com:443/', 'https://example.com', 'example.com', false],
    ['http://example.com:8080/a', 'http://example.com:8080', 'example.com', true],
    ['https://example.com/?q=secret', 'https://example.com', 'example.com', true],
    ['https://example.com/#secret', 'https://example.com', 'example.com', true],
    ['https://user:secret@example.com', 'https://example.com', 'example.com', true],
    ['https://good.com@evil.com/', 'https://evil.com', 'evil.com', true],
    ['http://0x7f.1/', 'http://127.0.0.1', '127.0.0.1', false],
    ['http://2130706433/', 'http://127.0.0.1', '127.0.0.1', false],
    ['https://bücher.example/', 'https://xn--bcher-kva.example', 'xn--bcher-kva.example', false],
    ['http://[::1]:80/', 'http://[::1]', '[::1]', false],
    ['file:///etc/passwd', 'file:', '', true],
    ['mailto:a@b.com', 'mailto:', '', true],
  ])('say where the request goes and whether it carries text: %s', async (text, origin, host, carries) => {
    expect((await read(url, { a: text })).destinations).toEqual([
      { at: '/a', readable: true, origin, host, scheme: text.split(':')[0], carries, firstUse: true },
    ]);
  });

  test('are new until a call of the session used them', async () => {
    const facts = await read(url, { a: ['https://a.com/x', 'https://b.com'] }, ['https://a.com']);
    expect(facts.destinations).toMatchObject([{ firstUse: false }, { firstUse: true }]);
  });

  test.each([
    ['the body', {}, { note: 'x' }, true],
    ['no argument', {}, {}, false],
    ['a segment of the path', { method: 'GET', url: 'https://api.example.com/x/{id}' }, { id: 'x' }, true],
    ['a query', { method: 'GET', query: { q: '{q}' } }, { q: 'x' }, true],
    ['a header', { method: 'GET', headers: { 'x-note': '{note}' } }, { note: 'x' }, true],
    ['a listed body', { method: 'GET', body: ['note'] }, { note: 'x' }, true],
    ['no body', { body: 'none' }, { note: 'x' }, false],
    [
      'arguments that the request does not carry',
      { method: 'GET', query: { fixed: 'yes' } },
      { note: 'x' },
      false,
    ],
  ] as const)('of the tool itself carry what the caller says: %s', async (_, target, parsed, carries) => {
    const base = toolOf().target;
    if (base.kind !== 'http') throw new Error('expected an HTTP tool');
    const own = { ...base, ...target };
    const tool = toolOf({ target: own });
    const facts = await reader.read(tool, { ...parsed }, { used: { tools: [], destinations: [] } });
    expect(facts.destinations).toEqual([
      {
        readable: true,
        origin: 'https://api.example.com',
        host: 'api.example.com',
        scheme: 'https',
        method: own.method,
        carries,
        firstUse: true,
      },
    ]);
  });
});
