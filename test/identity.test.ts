import { once } from 'node:events';
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { json } from 'node:stream/consumers';
import { auditRecordSchema, Fault } from '@interlock/contracts';
import { type MessageHeaders, type SignedMessage, verifyRequest } from '@interlock/egress';
import type { Keyring } from '@interlock/keys';
import { eventually, type UpstreamRequest } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { keyringOf } from './inside.ts';
import { type AgentName, type Line, startLine } from './line.ts';

const START_MS = 100_000;
const text = { type: 'string' };
const forged = { agent: 'root', user: 'root', tenant: 'rival', session: 'root', call: 'root' };

const recordsSchema = z.object({ records: z.array(auditRecordSchema) });

let line: Line;
let keyring: Keyring;
beforeAll(async () => {
  const properties = { agent: text, user: text, tenant: text, session: text, call: text };
  const inputSchema = { type: 'object', properties };
  line = await startLine({ tools: { slow: { inputSchema } } });
  keyring = await keyringOf(line.interlock);
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

/** Calls a tool with whatever headers, and returns what came to the upstream. */
async function reach(
  tool: string,
  args: object,
  agent: AgentName = 'helper',
  headers: OutgoingHttpHeaders = {},
) {
  const outgoing = httpRequest(`${line.interlock.ingress}/v1/calls`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${line.agent(agent).key}`,
      'content-type': 'application/json',
      ...headers,
    },
  });
  outgoing.end(JSON.stringify({ tool, arguments: args }));
  const [incoming] = await once(outgoing, 'response');
  const { call, outcome } = z
    .looseObject({ call: z.string(), outcome: z.string() })
    .parse(await json(incoming));
  expect(outcome).toBe('succeeded');
  const arrived = line.upstream.requests.filter((request) => request.call === call);
  expect(arrived).toHaveLength(1);
  return { call, arrived: arrived[0] ?? expect.unreachable() };
}

function messageOf({ method, url, headers, body }: UpstreamRequest): SignedMessage {
  return { method, url: `${line.upstream.url}${url}`, headers, body: Buffer.from(body) };
}

function verify(message: SignedMessage) {
  return verifyRequest(message, {
    keys: (keyId) => {
      const found = keyring.find(keyId, 'sign', Date.now());
      return found?.service === 'executor' ? found.key : undefined;
    },
    now: new Date(),
    maxAgeSeconds: 60,
  });
}

function codeOf(message: SignedMessage): string {
  try {
    verify(message);
    return 'verified';
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

describe('an API that is called', () => {
  test('[P-identity-signed-request] [P-identity-from-key] can verify with the exported function who calls, and for whom', async () => {
    const first = await reach('write', { text: 'a' });
    const { session, ...identity } = verify(messageOf(first.arrived));
    expect(identity).toEqual({ agent: 'helper', user: 'alice', tenant: 'acme', call: first.call });
    const second = await reach('read', { id: 7 });
    expect(verify(messageOf(second.arrived))).toEqual({ ...identity, session, call: second.call });
    const other = verify(messageOf((await reach('write', { text: 'a' }, 'other')).arrived));
    expect(other).toMatchObject({ agent: 'other', user: 'rita', tenant: 'rival' });
    expect(other.session).not.toBe(session);
  });

  test('[P-identity-signed-request] refuses it with another method, address, body or name, or a second name', async () => {
    const message = messageOf((await reach('write', { text: 'a' })).arrived);
    const headed = (headers: MessageHeaders) => ({ ...message, headers: { ...message.headers, ...headers } });
    expect(codeOf(message)).toBe('verified');
    expect(codeOf({ ...message, method: 'PUT' })).toBe('signature_mismatch');
    expect(codeOf({ ...message, url: `${line.upstream.url}/admin` })).toBe('signature_mismatch');
    expect(codeOf({ ...message, body: Buffer.from('{"text":"b"}') })).toBe('signature_body_mismatch');
    for (const name of ['agent', 'user', 'tenant', 'session', 'call']) {
      expect(codeOf(headed({ [`interlock-${name}`]: 'root' }))).toBe('signature_mismatch');
      expect(codeOf(headed({ [`Interlock-${name}`]: 'root' }))).toBe('signature_malformed');
    }
    expect(codeOf(headed({ signature: undefined }))).toBe('signature_missing');
  });
});

describe('who calls', () => {
  test('[P-identity-from-key] is not changed by arguments of those names', async () => {
    const { call, arrived } = await reach('slow', forged);
    expect(JSON.parse(arrived.body)).toEqual(forged);
    expect(verify(messageOf(arrived))).toMatchObject({
      agent: 'helper',
      user: 'alice',
      tenant: 'acme',
      call,
    });
  });

  test.each(Object.keys(forged))('[P-identity-from-key] cannot be given in the body as %s', async (name) => {
    const response = await fetch(`${line.interlock.ingress}/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${line.agent('helper').key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool: 'write', arguments: { text: 'a' }, [name]: 'root' }),
    });
    expect(await response.json()).toMatchObject({ code: 'body_invalid', pointer: `/${name}` });
  });

  test('[P-identity-from-key] is not changed by headers of the agent, given once or twice', async () => {
    const names = Object.keys(forged).map((name) => `interlock-${name}`);
    const headers: OutgoingHttpHeaders = {
      ...Object.fromEntries(names.map((name) => [name, ['root', 'admin']])),
      ...{ signature: 'interlock=:AAAA:', 'signature-input': 'interlock=()', 'x-forwarded-user': 'root' },
      ...{ 'content-digest': 'sha-256=:AAAA:', cookie: 'session=root', baggage: 'user=root' },
    };
    const { call, arrived } = await reach('write', { text: 'a' }, 'helper', headers);
    expect(verify(messageOf(arrived))).toMatchObject({
      agent: 'helper',
      user: 'alice',
      tenant: 'acme',
      call,
    });
    expect(JSON.stringify(arrived.headers)).not.toMatch(/root|admin/);
    expect(arrived.headers).not.toHaveProperty('cookie');
  });

  test('[P-identity-from-key] reaches policy and audit as the key defines it', async () => {
    const { call } = await reach('slow', forged);
    const [evidence] = await eventually(async () => {
      const { body } = await line.person('alice').get(`/v1/audit/calls/${call}`);
      const found = recordsSchema.parse(body).records.flatMap((record) => record.evidence ?? []);
      return found.length > 0 && found;
    });
    expect(evidence?.call).toMatchObject({ agent: 'helper', user: 'alice', tenant: 'acme', call });
    expect(evidence?.decision?.facts).not.toMatchObject({ subject: forged });
    expect(JSON.stringify(evidence?.decision)).toContain('"user":"alice"');
  });
});
