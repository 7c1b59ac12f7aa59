import path from 'node:path';
import { type AgentKey, agentKeySchema, sha256 } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpAnswer, send } from './http.ts';
import { filesBelow, joinBus } from './inside.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
/** Long enough for a busy machine to use a key before it expires, short enough to be waited out. */
const SHORT_MS = 12_000;
const OVER_MS = 60_000;

let line: Line;
beforeAll(async () => {
  line = await startLine();
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

async function create(agent: string, more: object = {}): Promise<AgentKey> {
  const body = { agent, tenant: 'acme', user: 'alice', ...more };
  const key = agentKeySchema.parse((await line.person('alice').post('/v1/agents', body)).body);
  await eventually(async () => (await list(key)).status === 200);
  return key;
}

/** Returns every operation of the management API, as the console's own code names them. */
async function operationsOfConsole(): Promise<{ method: string; url: string }[]> {
  const files = await filesBelow(path.resolve(import.meta.dirname, '../services/console/src'));
  return files
    .filter(({ file }) => !file.endsWith('.test.ts'))
    .flatMap(({ bytes }) => [
      ...bytes.toString('utf8').matchAll(/method: '([A-Z]+)',\s+url: '(\/v1\/[^']+)'/g),
    ])
    .map(([, method = '', url = '']) => ({ method, url: url.replaceAll(/:\w+/g, 'acme') }));
}

async function list({ key }: AgentKey): Promise<HttpAnswer> {
  return await send(new URL('/v1/tools', line.interlock.ingress), { token: key });
}

async function call({ key }: AgentKey): Promise<string> {
  const body = { tool: 'write', arguments: { text: 'a' } };
  const answer = await send(new URL('/v1/calls', line.interlock.ingress), {
    method: 'POST',
    token: key,
    body,
  });
  return answer.body.code ?? answer.body.outcome ?? '';
}

describe('an API key', () => {
  test('[P-ingress-keys] is shown once and stored as its hash only', async () => {
    const made = await create('hashed');
    expect(await call(made)).toBe('succeeded');
    await using ingress = await joinBus(line.interlock, 'ingress');
    const entry = await ingress.entries('agents').get('acme.hashed');
    expect(entry?.value.keys.map(({ hash }) => hash)).toEqual([sha256(made.key)]);
    expect(JSON.stringify(entry)).not.toContain(made.key);
    for (const { bytes } of await filesBelow(path.join(line.interlock.data, 'nats')))
      expect(bytes.includes(made.key)).toBe(false);
    expect((await line.person('alice').get('/v1/agents')).text).not.toMatch(
      new RegExp(`${made.key}|${sha256(made.key)}`),
    );
  });

  test('[P-ingress-keys] is refused when it has expired, was cut short, or changed by one character', async () => {
    const made = await create('expiring', { validMs: SHORT_MS });
    expect(await call(made)).toBe('succeeded');
    for (const key of [made.key.slice(0, -1), `${made.key}A`, made.key.toLowerCase(), made.keyId])
      expect(await call({ ...made, key })).toBe('key_invalid');
    await eventually(async () => (await call(made)) === 'key_invalid', OVER_MS);
    expect(Date.now()).toBeGreaterThanOrEqual(made.notAfter);
  });

  test('[P-ingress-keys] and its successor are both accepted for the overlap of a rotation, then the successor alone', async () => {
    const old = await create('rotating');
    const rotation = await line
      .person('alice')
      .post('/v1/agents/acme/rotating/rotate', { overlapMs: SHORT_MS });
    const fresh = agentKeySchema.parse(rotation.body);
    expect(fresh.key).not.toBe(old.key);
    await eventually(async () => (await call(fresh)) === 'succeeded');
    expect(await call(old)).toBe('succeeded');
    await eventually(async () => (await call(old)) === 'key_invalid', OVER_MS);
    expect(await call(fresh)).toBe('succeeded');
  });

  test('[P-ingress-keys] that is revoked is refused from then on, and other keys of its agent are accepted', async () => {
    const first = await create('revoked');
    const rotation = await line.person('alice').post('/v1/agents/acme/revoked/rotate', {});
    const second = agentKeySchema.parse(rotation.body);
    await eventually(async () => (await call(second)) === 'succeeded');
    await line.person('alice').post('/v1/agents/acme/revoked/revoke', { keyId: first.keyId });
    await eventually(async () => (await call(first)) === 'key_invalid');
    expect(await call(second)).toBe('succeeded');
    await line.person('alice').post('/v1/agents/acme/revoked/revoke', {});
    await eventually(async () => (await call(second)) === 'key_invalid');
    expect(await call(first)).toBe('key_invalid');
  });

  test('[P-agent-cannot-manage] opens no operation of management, neither at the console nor at ingress', async () => {
    const { key } = line.agent('helper');
    const alice = line.person('alice');
    const state = async () => {
      const read = ['tools', 'policy', 'credentials', 'approvals', 'kill', 'agents', 'people', 'emergencies'];
      const answers = await Promise.all(read.map((name) => alice.get(`/v1/${name}`)));
      // Deciders say twice a minute what they have loaded, and when they said it.
      return answers.map(({ body }) => ({ ...body, deciders: undefined }));
    };
    const before = await state();
    const operations = await operationsOfConsole();
    expect(operations.length).toBeGreaterThan(25);
    for (const { method, url } of operations) {
      const request = { method, token: key, ...(method === 'GET' ? {} : { body: {} }) };
      const refused = await send(new URL(url, line.interlock.console), request);
      expect({ method, url, status: refused.status }).toEqual({ method, url, status: 401 });
      const unknown = await send(new URL(url, line.interlock.ingress), request);
      if (`${method} ${url}` === 'GET /v1/tools') continue;
      expect({ method, url, status: unknown.status }).toEqual({
        ...{ method, url },
        status: url === '/v1/tools' ? 405 : 404,
      });
    }
    expect(await state()).toEqual(before);
  });

  test('[P-ingress-keys] that was revoked is still refused after a restart of ingress', async () => {
    const made = await create('gone');
    await line.person('alice').post('/v1/agents/acme/gone/revoke', {});
    await line.interlock.restart('ingress');
    expect(await call(made)).toBe('key_invalid');
    expect((await line.call('write', { text: 'a' })).status).toBe(200);
  });
});
