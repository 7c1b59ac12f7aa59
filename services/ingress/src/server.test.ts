import { once } from 'node:events';
import { connect } from 'node:net';
import { agentEntrySchema, Fault, problemSchema, sha256 } from '@interlock/contracts';
import { systemClock } from '@interlock/shell';
import {
  eventually,
  misfitOf,
  sendHttpCase,
  servedHttpCases,
  strictHttpCases,
  testbedCases,
} from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentKeys, authenticator } from './agents.ts';
import { Capacity } from './capacity.ts';
import { Caps } from './caps.ts';
import { describeApi } from './openapi.ts';
import { buildServer, type ServerParts } from './server.ts';

/** Connections that one address may hold here. */
const CONNECTIONS = 64;
/** Cases with bytes in the public collection. */
const TESTBED_CASES = 94;
const key = `ilk_${'a'.repeat(43)}`;
const cappedKey = `ilk_${'b'.repeat(43)}`;
const known = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function agentNamed(agent: string, secret: string, burst: number) {
  const keys = [{ keyId: 'k', hash: sha256(secret), createdAt: 0, notAfter: Date.now() + 3_600_000 }];
  const caps = { ratePerSecond: 1, burst, inFlight: 100 };
  return agentEntrySchema.parse({ tenant: 'acme', agent, user: 'ann', session: 's', keys, caps });
}

const keys = new AgentKeys();
keys.change('acme.bot', agentNamed('bot', key, 1_000));
keys.change('acme.capped', agentNamed('capped', cappedKey, 1));
const floods: string[] = [];

/** No request of these tests may reach a call: one that does ends as an unexpected error. */
const parts: ServerParts = {
  authenticate: (authorization, nowMs) => keys.authenticate(authorization, nowMs),
  capacity: new Capacity({ requests: 100, bytes: 1e9 }),
  caps: { call: new Caps(), lookUp: new Caps(), evaluate: new Caps() },
  onFlood: (agentKey) => floods.push(agentKey),
  submit: () => Promise.reject(new Error('a secret of the inside')),
  lookUp: () => Promise.reject(new Error('a secret of the inside')),
  evaluate: () => Promise.reject(new Error('a secret of the inside')),
  describeDecisionPoint: (listening) => ({ listening }),
  listTools: async () => [],
  prove: () => ({}),
  description: describeApi(),
  connectionsPerAddress: CONNECTIONS,
  clock: systemClock,
  log: quiet,
};

const server = buildServer(parts);
let url = '';

beforeAll(async () => {
  url = await server.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await server.app.close();
});

async function problemAt(path: string, init: RequestInit = {}) {
  const response = await fetch(`${url}${path}`, init);
  const problem = problemSchema.parse(await response.json());
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.status).toBe(response.status);
  expect(problem.type).toBe(`urn:interlock:fault:${problem.code}`);
  return { problem, headers: response.headers };
}

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  return await problemAt('/v1/calls', { method: 'POST', body, headers: { ...known, ...headers } });
}

describe("the server of the agents' API refuses", () => {
  test('a request without a key or with a wrong one, before it reads the body', async () => {
    const missing = await problemAt('/v1/calls', { method: 'POST', body: '{' });
    expect(missing.problem).toMatchObject({ code: 'key_missing', status: 401 });
    expect(missing.headers.get('www-authenticate')).toBe('Bearer');
    expect((await post('{', { authorization: 'Bearer x' })).problem.code).toBe('key_invalid');
    expect((await problemAt('/v1/tools')).problem.code).toBe('key_missing');
    expect((await problemAt('/v1/calls/c1')).problem.code).toBe('key_missing');
  });

  test.each(['text/plain', 'application/json; charset=latin1', 'application/jsonx', 'nonsense', ''])(
    'the content type %j',
    async (type) => {
      expect((await post('{}', { 'content-type': type })).problem.code).toBe('content_type_unsupported');
    },
  );

  test.each([
    ['', 'body_malformed', undefined],
    ['{', 'body_malformed', undefined],
    ['[]', 'body_invalid', ''],
    ['null', 'body_invalid', ''],
    ['{"tool":"t"}', 'body_invalid', '/arguments'],
    ['{"tool":"t","arguments":[]}', 'body_invalid', '/arguments'],
    ['{"tool":"a.b","arguments":{}}', 'body_invalid', '/tool'],
    ['{"tool":"t","arguments":{},"agent":"root"}', 'body_invalid', '/agent'],
    ['{"tool":"t","arguments":{},"__proto__":{}}', 'body_invalid', '/__proto__'],
    ['{"tool":"t","tool":"u","arguments":{}}', 'body_duplicate_key', '/tool'],
    ['{"tool":"t","arguments":{"a":"\\uD800"}}', 'unicode_malformed', '/arguments/a'],
  ])('the body %s with %s', async (body, code, pointer) => {
    expect((await post(body)).problem).toMatchObject({ code, ...(pointer === undefined ? {} : { pointer }) });
  });

  test('a body that is too deep, too large, or whose arguments are', async () => {
    const deep = `{"tool":"t","arguments":{"a":${'['.repeat(40)}${']'.repeat(40)}}}`;
    expect((await post(deep)).problem.code).toBe('body_too_deep');
    expect((await post(new Uint8Array(600_000))).problem.code).toBe('body_too_large');
    const long = JSON.stringify({ tool: 't', arguments: { a: 'x'.repeat(262_145) } });
    expect((await post(long)).problem).toMatchObject({ code: 'string_too_long', pointer: '/arguments/a' });
    const wide = JSON.stringify({
      tool: 't',
      arguments: { a: ['x'.repeat(262_100), 'x'.repeat(262_100), 'x'.repeat(100)] },
    });
    expect((await post(wide)).problem).toMatchObject({ code: 'arguments_too_large', pointer: '/arguments' });
  });

  test('an Idempotency-Key with a space in it', async () => {
    expect((await post('{}', { 'idempotency-key': 'a b' })).problem.code).toBe('header_invalid');
  });

  test.each(['wait=31', 'wait=-1', 'wait=x', 'wait=1&wait=2', 'other=1'])('the query %s', async (query) => {
    const { problem } = await problemAt(`/v1/calls/c1?${query}`, { headers: known });
    expect(problem.code).toBe('query_invalid');
  });

  test.each(['/', '/v2', '/v1/calls/c1/x', '/v1/Tools'])('the address %s', async (path) => {
    expect((await problemAt(path)).problem.code).toBe('route_unknown');
  });

  test.each([
    ['DELETE', '/v1/calls', 'POST'],
    ['PUT', '/v1/calls/c1', 'GET'],
    ['POST', '/v1/tools', 'GET'],
    ['PATCH', '/openapi.json', 'GET'],
  ])('the method %s at %s, and says what it accepts', async (method, path, allow) => {
    const { problem, headers } = await problemAt(path, { method });
    expect(problem.code).toBe('method_not_allowed');
    expect(headers.get('allow')).toBe(allow);
  });

  test('an address whose escapes are broken', async () => {
    expect((await problemAt('/v1/calls/%zz', { headers: known })).problem.code).toBe('id_invalid');
  });

  test('what is not HTTP or has too many headers, with a problem document too', async () => {
    expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"header_invalid"/);
    expect(await raw(`GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toContain(
      '"code":"header_invalid"',
    );
  });

  test('[P-http-strict] what a strict HTTP server refuses, from an agent that may call, while the well-formed request passes', async () => {
    expect([0, TESTBED_CASES]).toContain(testbedCases().length);
    const reached: string[] = [];
    const strict = buildServer({
      ...parts,
      submit: async ({ parsed }) => {
        reached.push(parsed.tool);
        throw new Fault('tool_unknown');
      },
      listTools: async () => {
        reached.push('a list');
        return [];
      },
    });
    const sender = {
      url: await strict.app.listen({ host: '127.0.0.1', port: 0 }),
      routes: { GET: '/v1/tools', POST: '/v1/calls' },
      headers: `Authorization: Bearer ${key}\r\nContent-Type: application/json\r\n`,
    };
    for (const one of strictHttpCases()) {
      const { status, text } = await sendHttpCase(one, sender);
      expect([0, 400, 405, 413], `${one.id}: ${text}`).toContain(status);
      if (status !== 0) expect(text, one.id).toContain('application/problem+json');
    }
    expect(reached).toEqual([]);
    const [control] = servedHttpCases();
    expect(await sendHttpCase(control ?? expect.unreachable(), sender)).toMatchObject({ status: 200 });
    expect(reached).toEqual(['a list']);
    await strict.app.close();
  });

  test('[P-http-strict] nothing that is well-formed: it reads bodies as they are meant, switches to no other protocol, and closes when it is asked to', async () => {
    const mediaType = 'application/json' as const;
    const evaluate = async (body: Buffer) => ({
      ...{ status: 200, mediaType, headers: {}, body: { echo: body.toString('latin1') } },
    });
    const echoing = buildServer({ ...parts, evaluate });
    const sender = {
      url: await echoing.app.listen({ host: '127.0.0.1', port: 0 }),
      routes: { GET: '/v1/tools', POST: '/access/v1/evaluation' },
      headers: `Authorization: Bearer ${key}\r\nContent-Type: application/json\r\n`,
    };
    const misfits = [];
    for (const one of servedHttpCases()) {
      const misfit = misfitOf(one, await sendHttpCase(one, sender));
      if (misfit !== undefined) misfits.push({ id: one.id, misfit });
    }
    expect(misfits).toEqual([]);
    await echoing.app.close();
  });

  test('[P-http-strict] to wait for the body of a request that it has answered', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const closed = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
    const answers: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answers.push(chunk));
    socket.write('POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n{');
    const drip = setInterval(() => socket.write(' '), 100);
    await closed;
    clearInterval(drip);
    const text = Buffer.concat(answers).toString();
    expect(text).toContain('key_missing');
    // The server's limit for a whole request would have been another answer.
    expect(text).not.toContain('request_timeout');
  });

  test('[P-http-strict] more connections from one address than it may hold, and takes more when some are closed', async () => {
    const port = Number(new URL(url).port);
    const open = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = connect(port, '127.0.0.1').on('error', () => undefined);
        await once(socket, 'connect');
        return socket;
      }),
    );
    // A client of its own: the one of `fetch` may use a connection that it kept open.
    const further = connect(port, '127.0.0.1').on('error', () => undefined);
    await once(further, 'close');
    expect(further.bytesRead).toBe(0);
    for (const socket of open) socket.destroy();
    await eventually(async () => (await fetch(`${url}/openapi.json`).catch(() => undefined))?.ok === true);
  });

  test('[P-ingress-caps] an agent above its cap, with the time to wait, and counts the flood', async () => {
    const headers = { ...known, authorization: `Bearer ${cappedKey}` };
    await problemAt('/v1/calls', { method: 'POST', body: '{', headers });
    const { problem, headers: limited } = await problemAt('/v1/calls', {
      method: 'POST',
      body: '{',
      headers,
    });
    expect(problem).toMatchObject({ code: 'agent_flood', status: 429 });
    expect(limited.get('retry-after')).toBe('1');
    expect(limited.get('ratelimit')).toBe('"agent";r=0;t=1');
    expect(limited.get('ratelimit-policy')).toBe('"agent";q=1;w=1');
    expect(floods).toEqual(['acme.capped']);
  });

  test('[P-ingress-capacity] requests above what it handles at once, and claims nothing about an earlier request under the key', async () => {
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const full = buildServer({
      ...parts,
      capacity: new Capacity({ requests: 1, bytes: 1e9 }),
      submit: async () => {
        begun.resolve();
        await released.promise;
        throw new Fault('tool_unknown');
      },
    });
    const at = await full.app.listen({ host: '127.0.0.1', port: 0 });
    const call = async (headers: Record<string, string> = {}) => {
      const body = '{"tool":"t","arguments":{}}';
      const sent = { method: 'POST', headers: { ...known, ...headers }, body };
      const response = await fetch(`${at}/v1/calls`, sent);
      return { headers: response.headers, ...problemSchema.parse(await response.json()) };
    };
    const first = call();
    await begun.promise;
    const shed = await call();
    expect(shed).toMatchObject({ status: 503, code: 'overloaded' });
    expect(shed.headers.get('retry-after')).toBe('1');
    expect(await call({ 'idempotency-key': 'k' })).toMatchObject({ status: 504, code: 'outcome_unknown' });
    const lookUp = await fetch(`${at}/v1/calls/c_1`, { headers: known });
    expect(problemSchema.parse(await lookUp.json())).toMatchObject({ status: 504, code: 'outcome_unknown' });
    released.resolve();
    expect((await first).code).toBe('tool_unknown');
    expect((await call()).code).toBe('tool_unknown');
    await full.app.close();
  });

  test('[P-authzen] more evaluations than the agent may ask for, counted separately from its calls', async () => {
    const headers = { ...known, authorization: `Bearer ${cappedKey}` };
    const evaluate = () => fetch(`${url}/access/v1/evaluation`, { method: 'POST', headers, body: '{}' });
    expect((await evaluate()).status).toBe(500);
    const { problem } = await problemAt('/access/v1/evaluation', { method: 'POST', headers, body: '{}' });
    expect(problem).toMatchObject({ status: 429, code: 'agent_flood' });
    // Calls are counted separately: no evaluation is among the flood of calls.
    expect(floods).toEqual(['acme.capped']);
  });
});

describe("the server of the agents' API", () => {
  test('[P-ingress-bad-input] does not answer more about an error of its own than that there was one', async () => {
    const { problem } = await post('{"tool":"t","arguments":{}}');
    expect(problem.code).toBe('internal');
    expect(JSON.stringify(problem)).not.toMatch(/secret|Error|\.ts/);
  });

  test('[P-answer-claims-no-more] claims that nothing was done only where no earlier request under the key can have done it', async () => {
    const disconnected = buildServer({
      ...parts,
      authenticate: authenticator({ current: false, onChange: () => undefined }),
    });
    const at = await disconnected.app.listen({ host: '127.0.0.1', port: 0 });
    const ask = async (headers: Record<string, string>) =>
      problemSchema.parse(
        await (await fetch(`${at}/v1/calls`, { method: 'POST', body: '{}', headers })).json(),
      );
    expect((await ask(known)).code).toBe('dependency_unavailable');
    expect((await ask({ ...known, 'idempotency-key': 'k' })).code).toBe('outcome_unknown');
    await disconnected.drain(() => undefined);
  });

  test('answers running requests before it closes, and accepts no new ones', async () => {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const leaving = buildServer({
      ...parts,
      lookUp: async () => {
        asked.resolve();
        await released.promise;
        throw new Fault('call_unknown');
      },
    });
    const at = await leaving.app.listen({ host: '127.0.0.1', port: 0 });
    const waiting = fetch(`${at}/v1/calls/c1`, { headers: known });
    await asked.promise;
    const drained = leaving.drain(() => undefined);
    released.resolve();
    expect((await waiting).status).toBe(404);
    await drained;
    await expect(fetch(`${at}/v1/tools`, { headers: known })).rejects.toThrow();
  });

  test('describes itself to everybody and lists tools to agents', async () => {
    expect((await fetch(`${url}/openapi.json`)).status).toBe(200);
    const tools = await fetch(`${url}/v1/tools`, { headers: known });
    expect(await tools.json()).toEqual({ tools: [] });
    expect(tools.headers.get('content-type')).toMatch(/^application\/json/);
  });
});

async function raw(text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}
