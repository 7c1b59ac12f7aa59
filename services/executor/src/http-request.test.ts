import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { buildHttpRequest, type HttpTarget, injectCredential } from './http-request.ts';
import { httpTool } from './tool.fixture.ts';

function targetOf(target: object): HttpTarget {
  const { target: built } = httpTool('https://api.example.com', { target });
  if (built.kind !== 'http') throw new TypeError('An HTTP tool has an HTTP target.');
  return built;
}

const build = (target: object, args: Record<string, unknown>) =>
  buildHttpRequest(targetOf(target), { blog: 'b1', ...args }, 'call_1');

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'built';
  } catch (cause) {
    if (cause instanceof Fault) return cause.code;
    throw cause;
  }
}

describe('[P-http-escaping] no request is built', () => {
  test.each([
    ['without an argument the URL needs', {}, { blog: undefined }, 'template_argument_missing'],
    ['from an argument that would leave its segment', {}, { blog: '..' }, 'template_argument_refused'],
    [
      'from a line end in a header',
      { headers: { 'X-Note': '{note}' } },
      { note: 'a\r\nX: y' },
      'header_argument_refused',
    ],
    [
      'from a list in a header',
      { headers: { 'X-Note': '{note}' } },
      { note: ['a'] },
      'header_argument_refused',
    ],
    ['from an object in the query', { query: { q: '{q}' } }, { q: { a: 1 } }, 'template_argument_refused'],
    ['for a destination off the list', { url: 'https://evil.example/x' }, {}, 'egress_destination_refused'],
    ['with one header twice', { headers: { 'Content-Type': 'text/plain' } }, {}, 'configuration_invalid'],
  ])('%s', (_title, target, args, code) => {
    expect(codeOf(() => build(target, args))).toBe(code);
  });
});

describe('a request holds', () => {
  test('each argument once: in the URL, the query, a header, else in the JSON body', () => {
    const target = { query: { lang: '{lang}' }, headers: { 'X-Fixed': 'yes', 'X-Note': '{note}' } };
    const request = build(target, { blog: 'a?b', lang: 'de', note: 'n', title: 'T', tags: ['x'] });
    expect(request.url).toBe('https://api.example.com/blogs/a%3Fb/posts?lang=de');
    expect(request.headers).toEqual({ 'X-Fixed': 'yes', 'X-Note': 'n', 'content-type': 'application/json' });
    expect(JSON.parse(String(request.body))).toEqual({ title: 'T', tags: ['x'] });
  });

  test('only the named arguments in the body, and none where the tool or the method takes none', () => {
    expect(String(build({ body: ['title'] }, { title: 'T', more: 1 }).body)).toBe('{"title":"T"}');
    expect(build({ body: 'none' }, { title: 'T' }).body).toBeUndefined();
    expect(build({ method: 'GET' }, { title: 'T' }).body).toBeUndefined();
  });

  test('no header and no parameter for an argument that is not there', () => {
    const request = build({ query: { q: '{q}' }, headers: { 'X-Note': '{note}' }, body: 'none' }, {});
    expect(request.url).toBe('https://api.example.com/blogs/b1/posts');
    expect(request.headers).toEqual({});
  });

  test("the call's id as the upstream's idempotency key", () => {
    expect(build({ idempotencyHeader: 'Idempotency-Key' }, {}).headers['Idempotency-Key']).toBe('call_1');
  });
});

describe('a credential', () => {
  const request = build({ headers: { 'X-Key': 'mine' }, query: { key: 'mine' } }, {});
  const value = new Secret('s3cret');
  const origin = 'https://api.example.com';

  test.each([
    [
      'goes to no other origin than it was leased for',
      { as: 'bearer' as const },
      'https://evil.example',
      'lease_refused',
    ],
    [
      'does not replace a header of the tool',
      { as: 'header' as const, header: 'x-key', prefix: '' },
      origin,
      'configuration_invalid',
    ],
    [
      'does not replace a parameter of the tool',
      { as: 'query' as const, parameter: 'key' },
      origin,
      'configuration_invalid',
    ],
  ])('%s', (_title, inject, leased, code) => {
    expect(codeOf(() => injectCredential(request, { value, inject, origin: leased }))).toBe(code);
  });

  test('that no header can carry is not sent', () => {
    const odd = { value: new Secret('snow\u2603'), inject: { as: 'bearer' as const }, origin };
    expect(codeOf(() => injectCredential(request, odd))).toBe('credential_unusable');
  });

  test('goes in as bearer, basic, header or query', () => {
    const inject = (how: Parameters<typeof injectCredential>[1]['inject']) =>
      injectCredential(request, { value, inject: how, origin });
    expect(inject({ as: 'bearer' }).request.headers).toHaveProperty('authorization', 'Bearer s3cret');
    expect(inject({ as: 'basic', username: 'ada' }).request.headers).toHaveProperty(
      'authorization',
      `Basic ${btoa('ada:s3cret')}`,
    );
    const header = inject({ as: 'header', header: 'X-Api-Key', prefix: 'Key ' });
    expect(header.request.headers['X-Api-Key']).toBe('Key s3cret');
    expect(header.sensitiveHeaders).toEqual(['X-Api-Key']);
    expect(inject({ as: 'query', parameter: 'token' }).request.url).toBe(`${request.url}&token=s3cret`);
  });
});
