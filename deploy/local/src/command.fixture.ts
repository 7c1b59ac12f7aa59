/** The command as a process, against an API that answers what a test says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { writeContext } from '@interlock/cli';
import type { ServiceName } from '@interlock/contracts';
import {
  createIdentities,
  createOperator,
  loadKeyring,
  loadKeys,
  PROOF_PATH,
  proveAddress,
  writeIdentities,
} from '@interlock/shell';

const VALID_MS = 3_600_000;
const MAIN = path.join(import.meta.dirname, 'main.ts');

/** Runs the command, and returns how it ended. */
export async function interlock(args: string[], input = '') {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' });
  child.stdin.end(input);
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  return { code, stdout, stderr };
}

/** The keys of console and ingress, and the keyring that certifies them, in a folder. */
async function makeKeys(folder: string) {
  const operator = createOperator();
  const nowMs = Date.now();
  const times = { nowMs, notAfterMs: nowMs + VALID_MS };
  await writeIdentities(
    folder,
    createIdentities(operator, { seeds: { console: 'SUA', ingress: 'SUA' }, ...times }),
  );
  const trust = { rootKey: operator.rootKey, keyringFile: path.join(folder, 'keyring.jws') };
  const keyring = await loadKeyring(trust);
  const keyOf = async (service: ServiceName) => (await loadKeys(service, folder, keyring, nowMs)).sign;
  return { trust, console: await keyOf('console'), ingress: await keyOf('ingress') };
}

/** Runs the command against an API that answers all alike, or what is posted or at some paths otherwise. Returns what it was asked. */
export async function withApi(
  answer: {
    status: number;
    body: object;
    posted?: object;
    at?: Record<string, object>;
    /** False for a program that took the port of the console and of ingress. */
    proves?: boolean;
  },
  args: string[],
  input = '',
) {
  const asked: {
    method: string | undefined;
    url: string | undefined;
    token: string | undefined;
    body: string;
  }[] = [];
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-client-'));
  const { trust, ...keys } = await makeKeys(folder);
  const service = args[0] === 'call' ? 'ingress' : 'console';
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    if (answer.proves !== false && url?.startsWith(PROOF_PATH) === true) {
      const query = Object.fromEntries(new URL(url, 'http://api').searchParams);
      const parts = { type: `${service}Proof`, key: keys[service], nowMs: Date.now() } as const;
      response.end(JSON.stringify(proveAddress({ query, socket: request.socket }, parts)));
      return;
    }
    asked.push({ method, url, token: headers.authorization, body: await text(request) });
    response
      .writeHead(answer.status, { 'content-type': 'application/json' })
      .end(
        JSON.stringify(
          method === 'POST' ? (answer.posted ?? answer.body) : (answer.at?.[url ?? ''] ?? answer.body),
        ),
      );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const url = `http://127.0.0.1:${port}`;
  await writeContext(folder, {
    ingress: url,
    console: url,
    trust,
    people: { alice: 'ilp_alice', bob: 'ilp_bob' },
    agents: { 'default/helper': { keyId: 'key_1', key: 'ilk_helper', notAfter: 1 } },
    person: 'alice',
  });
  try {
    return { ...(await interlock([...args, '--data', folder], input)), asked };
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}
