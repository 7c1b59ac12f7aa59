import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ServiceName } from '@interlock/contracts';
import { type SigningKey, signStatement } from '@interlock/keys';
import {
  createIdentities,
  createOperator,
  type KeyringSource,
  loadKeyring,
  loadKeys,
  PROOF_PATH,
  writeIdentities,
} from '@interlock/shell';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { managementClient } from './client.ts';

const TOKEN = 'ilp_the-token-of-alice';
const VALID_MS = 3_600_000;
const anything = z.looseObject({});

interface Installation {
  folder: string;
  trust: KeyringSource;
  keyOf(service: ServiceName): Promise<SigningKey>;
}

let own: Installation;
let other: Installation;
beforeAll(async () => {
  [own, other] = await Promise.all([makeInstallation(), makeInstallation()]);
});
afterAll(async () => {
  for (const { folder } of [own, other]) await rm(folder, { recursive: true, force: true });
});

async function makeInstallation(): Promise<Installation> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-proof-'));
  const operator = createOperator();
  const nowMs = Date.now();
  const seeds = { console: 'SUA', ingress: 'SUA' };
  await writeIdentities(folder, createIdentities(operator, { seeds, nowMs, notAfterMs: nowMs + VALID_MS }));
  const trust = { rootKey: operator.rootKey, keyringFile: path.join(folder, 'keyring.jws') };
  const keyring = await loadKeyring(trust);
  return {
    folder,
    trust,
    keyOf: async (service) => (await loadKeys(service, folder, keyring, nowMs)).sign,
  };
}

/** What every server here got: nothing of it may be a token unless the server is the console. */
let received: string[] = [];

async function listening(listener: RequestListener): Promise<Server & AsyncDisposable & { url: string }> {
  received = [];
  const server = createServer((request, response) => {
    received.push(JSON.stringify([request.method, request.url, request.rawHeaders]));
    void listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return Object.assign(server, { url: `http://127.0.0.1:${port}` });
}

/** Proves with a key, and answers everything else with 200. */
function proving(
  key: SigningKey,
  change: (proof: { nonce: string; address: string }) => object = () => ({}),
  headers: Record<string, string> = {},
): RequestListener {
  return ({ url = '', socket }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://console');
    if (pathname !== PROOF_PATH) return void response.end('{"fine": true}');
    const nonce = searchParams.get('nonce') ?? '';
    const said = { nonce, address: `${socket.localAddress} ${socket.localPort}` };
    const proof = { type: 'consoleProof', ...said, issuedAt: Date.now(), ...change(said) } as const;
    response.writeHead(200, headers).end(JSON.stringify({ proof: signStatement(proof, key) }));
  };
}

async function ask(url: string, trust: KeyringSource | undefined = own.trust): Promise<unknown> {
  const client = managementClient(url, TOKEN, trust);
  return await client.request({ method: 'POST', path: '/v1/kill', body: { a: 1 }, reply: anything });
}

const unproven = expect.objectContaining({ code: 'service_unproven' });

describe('[P-token-console-only] no token is sent', () => {
  test.each<[string, () => Promise<RequestListener>]>([
    ['answers all with 200', async () => (_, response) => void response.end('{"fine": true}')],
    ['answers 404', async () => (_, response) => void response.writeHead(404).end()],
    ['sends elsewhere', async () => (_, response) => void response.writeHead(302, { location: '/x' }).end()],
    ['has the key of the console of another installation', async () => proving(await other.keyOf('console'))],
    ['has the key of another service', async () => proving(await own.keyOf('ingress'))],
    [
      'repeats the proof of an earlier question',
      async () => proving(await own.keyOf('console'), () => ({ nonce: 'n'.repeat(43) })),
    ],
  ])('to a program that %s', async (_, listener) => {
    await using impostor = await listening(await listener());
    await expect(ask(impostor.url)).rejects.toThrow(unproven);
    expect(received).toHaveLength(1);
    expect(received.join()).not.toMatch(/ilp_|authorization/i);
  });

  test('to a program that passes the question on to the console and returns its proof', async () => {
    await using genuine = await listening(proving(await own.keyOf('console')));
    await using between = await listening(async ({ url }, response) => {
      response.end(await (await fetch(`${genuine.url}${url}`)).text());
    });
    await expect(ask(between.url)).rejects.toThrow(unproven);
    expect(received.join()).not.toMatch(/ilp_|authorization/i);
  });

  test('over another connection than the one that was proved', async () => {
    const closing = proving(await own.keyOf('console'), undefined, { connection: 'close' });
    await using server = await listening(closing);
    await expect(ask(server.url)).rejects.toMatchObject({ code: 'unreachable' });
    expect(received.length).toBeGreaterThan(1);
    expect(received.join()).not.toMatch(/ilp_|authorization/i);
  });

  test('where it is not known which key the console has', async () => {
    await using server = await listening(proving(await own.keyOf('console')));
    const client = managementClient(server.url, TOKEN, undefined);
    const asked = client.request({ method: 'GET', path: '/v1/tools', reply: anything });
    await expect(asked).rejects.toThrow(unproven);
    expect(received).toEqual([]);
  });
});

test('[P-token-console-only] the console that proves who it is gets the request with the token', async () => {
  await using server = await listening(proving(await own.keyOf('console')));
  expect(await ask(server.url)).toEqual({ fine: true });
  expect(received).toHaveLength(2);
  expect(received[1]).toContain(`Bearer ${TOKEN}`);
});
