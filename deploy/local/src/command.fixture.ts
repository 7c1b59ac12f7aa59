/** The command as a process, against an API that answers what a test says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { writeContext } from '@interlock/cli';

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

/** Runs the command against an API that answers all alike, or what is posted or at some paths otherwise. Returns what it was asked. */
export async function withApi(
  answer: { status: number; body: object; posted?: object; at?: Record<string, object> },
  args: string[],
  input = '',
) {
  const asked: {
    method: string | undefined;
    url: string | undefined;
    token: string | undefined;
    body: string;
  }[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
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
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-client-'));
  const url = `http://127.0.0.1:${port}`;
  await writeContext(folder, {
    ingress: url,
    console: url,
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
