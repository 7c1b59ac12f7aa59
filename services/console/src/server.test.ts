import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { Fault, type PersonEntry, sha256 } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { readConfig } from '@interlock/shell';
import { misfitOf, sendHttpCase, servedHttpCases, strictHttpCases } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consoleConfigSchema } from './config.ts';
import { addSpanReceiver } from './otlp.ts';
import { requireTenant } from './people.ts';
import { buildServer, listen, type Route } from './server.ts';
import { TraceStore } from './traces.ts';

const token = (name: string): string => `ilp_${name.padEnd(43, '0')}`;
const person = (name: string, changes: Partial<PersonEntry>): PersonEntry => ({
  person: name,
  roles: [],
  tokenHash: sha256(token(name)),
  ...changes,
});

const known = [
  person('alice', { roles: ['admin'] }),
  person('otto', { roles: ['operator'], tenants: ['acme'] }),
  person('rita', { roles: ['reader'] }),
];
const people = { current: true, all: () => known.map((value) => ({ key: value.person, value, version: 1 })) };
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const routes: Route[] = [
  {
    method: 'GET',
    url: '/v1/operation',
    roles: ['operator'],
    answer: async ({ person: { person } }) => ({ person }),
  },
  { method: 'POST', url: '/v1/operation', roles: [], answer: async ({ body }) => ({ body }) },
  {
    method: 'GET',
    url: '/v1/elsewhere',
    roles: ['operator'],
    answer: async ({ person: visitor }) => {
      requireTenant(visitor, 'globex');
      return {};
    },
  },
  {
    method: 'GET',
    url: '/v1/bug',
    roles: 'person',
    answer: async () => {
      throw new TypeError('the database password is hunter2');
    },
  },
];

const server = buildServer({ management: { people, log: quiet }, routes, hosts: [] });
const store = new TraceStore();
addSpanReceiver(server, store, new Secret('trace-token'));
let url = '';
beforeAll(async () => {
  url = await listen(server, { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await server.close();
});

/** `fetch` would not let a Host header through. */
async function ask(path: string, headers: Record<string, string>, method = 'GET', body?: string) {
  const sent = request(`${url}${path}`, { method, headers });
  sent.end(body);
  const [response] = await once(sent, 'response');
  const problem: unknown = JSON.parse(await text(response));
  return { status: response.statusCode, type: response.headers['content-type'], problem };
}

const as = (name: string) => ({ authorization: `Bearer ${token(name)}` });

describe('the management API', () => {
  test('[P-management-roles] refuses a request without a token, or with an unknown one', async () => {
    expect(await ask('/v1/operation', {})).toMatchObject({ status: 401, problem: { code: 'token_missing' } });
    expect(await ask('/v1/operation', as('mallory'))).toMatchObject({
      status: 401,
      problem: { code: 'token_invalid' },
    });
    expect(await ask('/v1/operation', as('alice'))).toMatchObject({
      status: 200,
      problem: { person: 'alice' },
    });
  });

  test('[P-agent-cannot-manage] [P-approval-identified-person] refuses an agent key where a person is needed', async () => {
    const agent = { authorization: `Bearer ilk_${'0'.repeat(43)}` };
    expect(await ask('/v1/operation', agent)).toMatchObject({
      status: 401,
      problem: { code: 'token_invalid' },
    });
  });

  test('[P-management-roles] refuses a person without the role', async () => {
    expect(await ask('/v1/operation', as('rita'))).toMatchObject({
      status: 403,
      problem: { code: 'role_missing' },
    });
    expect(await ask('/v1/operation', as('otto'))).toMatchObject({ status: 200 });
  });

  test('refuses a person outside of its tenants', async () => {
    expect(await ask('/v1/elsewhere', as('otto'))).toMatchObject({
      status: 403,
      problem: { code: 'role_missing' },
    });
    expect(await ask('/v1/elsewhere', as('alice'))).toMatchObject({ status: 200 });
  });

  test('[P-agent-cannot-manage] cannot be reached through a host name that was made to point to it', async () => {
    const rebound = { ...as('alice'), host: 'attacker.example' };
    expect(await ask('/v1/operation', rebound)).toMatchObject({
      status: 400,
      problem: { code: 'header_invalid' },
    });
  });

  test('cannot be reached from a page of another origin', async () => {
    const page = { ...as('alice'), origin: 'https://attacker.example' };
    expect(await ask('/v1/operation', page)).toMatchObject({
      status: 400,
      problem: { code: 'header_invalid' },
    });
  });

  test('[P-http-strict] refuses what a strict HTTP server refuses, from a person who may ask, while the well-formed request passes', async () => {
    const sender = {
      url,
      routes: { GET: '/v1/operation', POST: '/v1/operation' },
      headers: `Authorization: ${as('alice').authorization}\r\nContent-Type: application/json\r\n`,
    };
    for (const one of strictHttpCases()) {
      const { status, text: answer } = await sendHttpCase(one, sender);
      expect([0, 400, 404, 413], `${one.id}: ${answer}`).toContain(status);
      if (status !== 0) expect(answer, one.id).toContain('application/problem+json');
    }
  });

  test('[P-http-strict] refuses nothing that is well-formed: it reads bodies as they are meant, switches to no other protocol, and closes when it is asked to', async () => {
    const sender = {
      url,
      routes: { GET: '/v1/operation', POST: '/v1/operation' },
      headers: `Authorization: ${as('alice').authorization}\r\nContent-Type: application/json\r\n`,
    };
    const misfits = [];
    for (const one of servedHttpCases()) {
      const misfit = misfitOf(one, await sendHttpCase(one, sender));
      if (misfit !== undefined) misfits.push({ id: one.id, misfit });
    }
    // An empty body is no JSON, which the console says.
    expect(
      misfits.filter(({ id }) => !/^COMP-(POST-CL-ZERO|POST-NO-CL-NO-TE|CHUNKED-EMPTY)$/.test(id)),
    ).toEqual([]);
  });

  test('answers an unknown address, and a body that is not JSON, with a problem document', async () => {
    const json = { ...as('alice'), 'content-type': 'application/json' };
    const problem = expect.stringContaining('application/problem+json');
    expect(await ask('/v1/nothing', as('alice'))).toMatchObject({
      type: problem,
      problem: { code: 'route_unknown' },
    });
    expect(await ask('/v1/operation', json, 'POST', '{')).toMatchObject({
      status: 400,
      problem: { code: 'body_malformed' },
    });
    const form = { ...as('alice'), 'content-type': 'application/x-www-form-urlencoded' };
    expect(await ask('/v1/operation', form, 'POST', 'a=b')).toMatchObject({
      status: 415,
      problem: { code: 'content_type_unsupported' },
    });
  });

  test('accepts spans with the trace token, and not with the token of a person', async () => {
    const json = { 'content-type': 'application/json' };
    const span = { traceId: 'a', spanId: 'b', name: 'step', startTimeUnixNano: '1', endTimeUnixNano: '2' };
    const attributes = [{ key: 'interlock.call', value: { stringValue: 'call_1' } }];
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, attributes }] }] }] });
    const send = (headers: Record<string, string>) =>
      ask('/otlp/v1/traces', { ...json, ...headers }, 'POST', body);
    expect(await send(as('alice'))).toMatchObject({ status: 401, problem: { code: 'token_missing' } });
    expect(await send({ 'interlock-trace-token': 'guessed' })).toMatchObject({
      problem: { code: 'token_invalid' },
    });
    expect(store.find('call_1')).toBeUndefined();
    expect(await send({ 'interlock-trace-token': 'trace-token' })).toMatchObject({ status: 200 });
    expect(store.find('call_1')).toBeDefined();
  });

  test('does not answer the message of an unexpected error', async () => {
    const answer = await ask('/v1/bug', as('alice'));
    expect(answer).toMatchObject({ status: 500, problem: { code: 'internal' } });
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });
});

describe('the address of the management API', () => {
  test('[P-management-roles] is refused where other machines could reach it, unless that is configured', () => {
    const open = { INTERLOCK_CONSOLE_ADDRESS: '0.0.0.0:7000' };
    expect(() => readConfig(consoleConfigSchema, open)).toThrow(Fault);
    expect(() => readConfig(consoleConfigSchema, open)).toThrow('INTERLOCK_CONSOLE_ADDRESS');
    expect(readConfig(consoleConfigSchema, { ...open, INTERLOCK_CONSOLE_PUBLIC: '1' })).toMatchObject({
      INTERLOCK_CONSOLE_ADDRESS: { host: '0.0.0.0', port: 7000 },
    });
    expect(readConfig(consoleConfigSchema, {})).toMatchObject({
      INTERLOCK_CONSOLE_ADDRESS: { host: '127.0.0.1', port: 0 },
    });
  });
});
