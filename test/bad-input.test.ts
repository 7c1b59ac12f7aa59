import { once } from 'node:events';
import { connect } from 'node:net';
import { problemSchema } from '@interlock/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
/** Parts of a stack trace, of a path of ours, or of the error of a library. */
const INSIDES = /\bat .+:\d+:\d+|node_modules|\.ts\b|Error:|ZodError|FST_|ECONN|nats/i;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    tools: {
      strict: {
        ...{ name: 'strict', description: 'Takes one short text, and options that name each other.' },
        inputSchema: {
          type: 'object',
          properties: {
            text: { type: 'string', maxLength: 10, pattern: '^[a-z]*$' },
            count: { type: 'integer', minimum: 1, maximum: 3 },
            'a/b~c': { type: 'boolean' },
            list: { type: 'array', items: { type: 'object', properties: { on: { type: 'boolean' } } } },
          },
          required: ['text'],
        },
        http: { method: 'POST', url: 'http://127.0.0.1:9/', egress: { allow: ['http://127.0.0.1:9'] } },
      },
    },
  });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

interface Asked {
  method?: string;
  path?: string;
  body?: string | Buffer<ArrayBuffer>;
  headers?: Record<string, string>;
}

/** Sends a request and returns the problem, which must be a valid problem document. */
async function refused({ method = 'POST', path = '/v1/calls', body, headers }: Asked) {
  const response = await fetch(`${line.interlock.ingress}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${line.agent('helper').key}`,
      'content-type': 'application/json',
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const problem = problemSchema.parse(JSON.parse(text));
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.status).toBe(response.status);
  expect(problem.next).not.toBe('');
  expect(text).not.toMatch(INSIDES);
  const { status, code, pointer } = problem;
  return { status, code, ...(pointer === undefined ? {} : { pointer }) };
}

function callOf(tool: string, args: object): string {
  return JSON.stringify({ tool, arguments: args });
}

describe('a body that cannot be parsed is refused with a code and a pointer to the fault', () => {
  const strings = (text: string) => `{"tool":"write","arguments":{"text":${text}}}`;
  const invalidUtf8 = Buffer.concat([
    Buffer.from('{"tool":"write","arguments":{"text":"'),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('"}}'),
  ]);
  test.each<[string, string | Buffer<ArrayBuffer>, number, string, string?]>([
    ['nothing at all', '', 400, 'body_malformed'],
    ['half of it', '{"tool":"write","arguments":{', 400, 'body_malformed'],
    ['a comma too many', '{"tool":"write","arguments":{},}', 400, 'body_malformed'],
    ['two documents', '{} {}', 400, 'body_malformed'],
    ['NaN', '{"tool":"write","arguments":{"text":NaN}}', 400, 'body_malformed'],
    ['the tool twice', '{"tool":"write","tool":"read","arguments":{}}', 400, 'body_duplicate_key', '/tool'],
    [
      'an argument twice, once as an escape',
      '{"tool":"write","arguments":{"text":"a","te\\u0078t":"b"}}',
      ...([400, 'body_duplicate_key', '/arguments/text'] as const),
    ],
    ['a lone surrogate', strings('"\\ud800"'), 400, 'unicode_malformed', '/arguments/text'],
    ['bytes that are not UTF-8', invalidUtf8, 400, 'unicode_malformed'],
    [
      '40 levels',
      `{"tool":"write","arguments":{"text":${'['.repeat(40)}${']'.repeat(40)}}}`,
      ...([400, 'body_too_deep'] as const),
    ],
    ['a long string', strings(`"${'x'.repeat(262_145)}"`), 400, 'string_too_long', '/arguments/text'],
    ['a megabyte', strings(`"${'x'.repeat(1_048_576)}"`), 413, 'body_too_large'],
    ['a list', '[]', 400, 'body_invalid', ''],
    ['no tool', '{"arguments":{}}', 400, 'body_invalid', '/tool'],
    ['a tool with a dot', '{"tool":"a.b","arguments":{}}', 400, 'body_invalid', '/tool'],
    ['a tool with a wildcard', '{"tool":"*","arguments":{}}', 400, 'body_invalid', '/tool'],
    ['no arguments', '{"tool":"write"}', 400, 'body_invalid', '/arguments'],
    ['a foreign member', '{"tool":"write","arguments":{},"tenant":"rival"}', 400, 'body_invalid', '/tenant'],
  ])('[P-ingress-bad-input] %s', async (_name, body, status, code, pointer) => {
    expect(await refused({ body })).toMatchObject({
      ...{ status, code },
      ...(pointer === undefined ? {} : { pointer }),
    });
  });
});

describe('arguments that do not fit the schema of the tool are refused with a pointer to the fault', () => {
  test.each<[string, object, string]>([
    ['an argument that is missing', {}, '/arguments/text'],
    ['an argument nobody named', { text: 'a', extra: 1 }, '/arguments/extra'],
    ['a name of the prototype', JSON.parse('{"text":"a","__proto__":{}}'), '/arguments/__proto__'],
    ['a text where a number is due', { text: 'a', count: '2' }, '/arguments/count'],
    ['a fraction where a whole number is due', { text: 'a', count: 1.5 }, '/arguments/count'],
    ['a number out of range', { text: 'a', count: 4 }, '/arguments/count'],
    ['a text that is too long', { text: 'abcdefghijk' }, '/arguments/text'],
    ['a text of other characters', { text: 'A' }, '/arguments/text'],
    ['a name that a pointer must escape', { text: 'a', 'a/b~c': 1 }, '/arguments/a~1b~0c'],
    ['something extra deep inside', { text: 'a', list: [{ on: true, off: 1 }] }, '/arguments/list/0/off'],
    ['null', { text: null }, '/arguments/text'],
  ])('[P-ingress-bad-input] [P-ingress-arguments] %s', async (_name, args, pointer) => {
    expect(await refused({ body: callOf('strict', args) })).toEqual({
      ...{ status: 422, code: 'arguments_invalid', pointer },
    });
  });

  test('[P-ingress-bad-input] a tool that nobody configured is unknown', async () => {
    const problem = await refused({ body: callOf('nonesuch', {}) });
    expect(problem).toEqual({ status: 404, code: 'tool_unknown', pointer: '/tool' });
  });
});

describe('a request that is wrong around its body', () => {
  const good = callOf('write', { text: 'a' });
  test.each<[string, Asked, number, string]>([
    [
      'text/plain',
      { body: good, headers: { 'content-type': 'text/plain' } },
      415,
      'content_type_unsupported',
    ],
    [
      'another character set',
      { body: good, headers: { 'content-type': 'application/json; charset=utf-16' } },
      ...([415, 'content_type_unsupported'] as const),
    ],
    [
      'a wrong key',
      { body: good, headers: { authorization: `Bearer ilk_${'0'.repeat(43)}` } },
      401,
      'key_invalid',
    ],
    [
      'another scheme of authorization',
      { body: good, headers: { authorization: 'Basic YTpi' } },
      401,
      'key_invalid',
    ],
    ['an empty Idempotency-Key', { body: good, headers: { 'idempotency-key': '' } }, 400, 'header_invalid'],
    [
      'a long Idempotency-Key',
      { body: good, headers: { 'idempotency-key': 'k'.repeat(256) } },
      ...([400, 'header_invalid'] as const),
    ],
    ['a header of 20 KB', { body: good, headers: { 'x-long': 'x'.repeat(20_000) } }, 400, 'header_invalid'],
    ['an unknown route', { path: '/v2/calls', body: good }, 404, 'route_unknown'],
    ['a route of management', { path: '/v1/kill', body: '{}' }, 404, 'route_unknown'],
    ['another case', { path: '/V1/calls', body: good }, 404, 'route_unknown'],
    ['PUT', { method: 'PUT', body: good }, 405, 'method_not_allowed'],
    [
      'PUT of an invalid content type',
      { method: 'PUT', body: 'a', headers: { 'content-type': 'a%b}' } },
      405,
      'method_not_allowed',
    ],
    [
      'an invalid content type to an unknown route',
      { path: '/v2/calls', body: 'a', headers: { 'content-type': 'a%b}' } },
      404,
      'route_unknown',
    ],
    ['DELETE of a call', { method: 'DELETE', path: '/v1/calls/c_1' }, 405, 'method_not_allowed'],
    ['a call with a dot', { method: 'GET', path: '/v1/calls/a.b' }, 400, 'id_invalid'],
    ['a call with a star', { method: 'GET', path: '/v1/calls/*' }, 400, 'id_invalid'],
    ['a call with a wildcard', { method: 'GET', path: '/v1/calls/%3E' }, 400, 'id_invalid'],
    ['a call with a slash inside', { method: 'GET', path: '/v1/calls/a%2Fb' }, 400, 'id_invalid'],
    ['a call that is no text', { method: 'GET', path: '/v1/calls/%ff' }, 400, 'id_invalid'],
    ['a call of 65 characters', { method: 'GET', path: `/v1/calls/${'c'.repeat(65)}` }, 400, 'id_invalid'],
    ['a call of 300 characters', { method: 'GET', path: `/v1/calls/${'c'.repeat(300)}` }, 400, 'id_invalid'],
    ['a call nobody made', { method: 'GET', path: '/v1/calls/c_1' }, 404, 'call_unknown'],
    ['an unknown query', { method: 'GET', path: '/v1/calls/c_1?agent=root' }, 400, 'query_invalid'],
    ['a wait that is too long', { method: 'GET', path: '/v1/calls/c_1?wait=31' }, 400, 'query_invalid'],
  ])('[P-ingress-bad-input] %s', async (_name, asked, status, code) => {
    expect(await refused(asked)).toMatchObject({ status, code });
  });

  test('[P-ingress-bad-input] without a key it is answered with 401 and the scheme Bearer', async () => {
    const response = await fetch(`${line.interlock.ingress}/v1/calls`, { method: 'POST', body: good });
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(problemSchema.parse(await response.json())).toMatchObject({ status: 401, code: 'key_missing' });
  });

  test('[P-ingress-bad-input] for the call of another tenant is answered as for a call that does not exist', async () => {
    const { body } = await line.call('nonesuch', {}, { agent: 'other' });
    expect((await line.getCall(body.call ?? '', { agent: 'other' })).body.code).toBe('tool_unknown');
    const foreign = await line.getCall(body.call ?? '');
    const absent = await line.getCall('c_never');
    expect(foreign.body).toMatchObject({ status: 404, code: 'call_unknown' });
    expect(foreign.text).toBe(absent.text);
  });

  test('[P-ingress-bad-input] or is no HTTP at all, is answered with a problem document', async () => {
    const { hostname, port } = new URL(line.interlock.ingress);
    const socket = connect(Number(port), hostname);
    socket.end('BREW /coffee HTCPCP/1.0\r\n\r\n');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    await once(socket, 'close');
    const [head = '', body = ''] = Buffer.concat(chunks).toString('utf8').split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(problemSchema.parse(JSON.parse(body)).code).toBe('header_invalid');
  });

  // Last, since it is about everything that was asked above.
  test('[P-ingress-bad-input] and nothing of it all reaches an upstream', async () => {
    expect(line.upstream.requests).toEqual([]);
    expect((await line.call('write', { text: 'good' })).status).toBe(200);
    expect(line.upstream.requests).toHaveLength(1);
  });
});
