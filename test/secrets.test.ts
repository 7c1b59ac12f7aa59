import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { services } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { filesBelow } from './inside.ts';
import { type Line, startLine, UPSTREAM_TOKEN } from './line.ts';

const START_MS = 100_000;
const CORE_BYTES = 3;
/** Beside one file for each service. */
const KEY_FILES = ['author.json', 'broker.kek.json', 'call-id.key', 'redis.password', 'trace.token'];

let line: Line;
let echo: Server;
let umask = 0;
/** Authorization headers that came to the API. */
const arrived: string[] = [];
const answers: { call: string; said: string }[] = [];

/** An API that returns its credential in every form it can. */
function answerWith(authorization: string) {
  const token = authorization.replace(/^Bearer /, '');
  const base64 = Buffer.from(token).toString('base64');
  return {
    plain: token,
    bearer: authorization,
    base64,
    base64url: Buffer.from(token).toString('base64url'),
    basic: Buffer.from(`user:${token}`).toString('base64'),
    deep: [{ url: `https://example.com/?token=${encodeURIComponent(token)}&x=1` }],
    twice: JSON.stringify({ token }),
    html: `<b title="${htmlOf(token)}">${htmlOf(JSON.stringify(token))}</b>`,
    document: Buffer.from(JSON.stringify({ token })).toString('base64'),
    form: Buffer.from(`token=${encodeURIComponent(token)}`).toString('base64url'),
    page: Buffer.from(htmlOf(token)).toString('base64'),
    kept: 'the rest of the answer',
  };
}

function htmlOf(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

beforeAll(async () => {
  // Whatever the machine's own mask, what must be private is made private.
  umask = process.umask(0);
  echo = createServer((incoming, response) => {
    const { authorization = '' } = incoming.headers;
    arrived.push(authorization);
    const token = authorization.replace(/^Bearer /, '');
    const answer = answerWith(authorization);
    const slashes = JSON.stringify(answer).replaceAll('/', '\\/');
    const kind = incoming.url?.slice(1);
    const type = kind === 'text' ? `text/plain; token="${token}"` : 'application/json';
    const headers = { 'content-type': type, 'x-token': token, 'set-cookie': `token=${answer.base64}` };
    response.writeHead(kind === 'fail' ? 500 : 200, { ...headers, warning: `199 - "${token}"` });
    response.end(kind === 'slashes' ? slashes : JSON.stringify(answer));
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { port } = z.object({ port: z.int() }).parse(echo.address());
  const url = `http://127.0.0.1:${port}`;
  const egress = { allow: [url], allowPrivate: ['127.0.0.1/32'] };
  line = await startLine({
    env: { INTERLOCK_LOG_LEVEL: 'trace' },
    tools: {
      write: { http: { method: 'POST', url: `${url}/json`, egress } },
      idem: { http: { method: 'POST', url: `${url}/slashes`, egress } },
      slow: { http: { method: 'POST', url: `${url}/text`, egress } },
      ask: { labels: ['writes'], http: { method: 'POST', url: `${url}/fail`, egress } },
    },
  });
  for (const [tool, idempotencyKey] of [['write'], ['idem'], ['slow'], ['ask'], ['write', 'kept']] as const) {
    const answer = await line.call(
      tool,
      { text: 'a' },
      idempotencyKey === undefined ? {} : { idempotencyKey },
    );
    expect(answer.body.outcome).toBe(tool === 'ask' ? 'failed' : 'succeeded');
    answers.push({ call: answer.body.call ?? '', said: sayingOf(answer.headers, answer.text) });
  }
  const again = await line.getCall(answers.at(-1)?.call ?? '');
  answers.push({ call: again.body.call ?? '', said: sayingOf(again.headers, again.text) });
}, START_MS);
afterAll(async () => {
  process.umask(umask);
  await line?.[Symbol.asyncDispose]();
  echo?.closeAllConnections();
  echo?.close();
}, START_MS);

function sayingOf(headers: Headers, text: string): string {
  return [...headers].map(([name, value]) => `${name}: ${value}`).join('\n') + text;
}

/** Returns a secret in every form it might be written in, down to the middle of a base64 text around it. */
function formsOf(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  const written = [secret, escaped, encodeURIComponent(secret), htmlOf(secret)];
  const middles = written.flatMap((form) =>
    [0, 1, 2].map((shift) => {
      const text = Buffer.from('x'.repeat(shift) + form).toString('base64');
      return text.slice(4, -CORE_BYTES - 2);
    }),
  );
  return [
    ...new Set([
      ...[...written, escaped.replaceAll('/', '\\/'), htmlOf(escaped)],
      ...middles.flatMap((middle) => [middle, middle.replaceAll('+', '-').replaceAll('/', '_')]),
      Buffer.from(secret).toString('hex'),
    ]),
  ];
}

/** The credential, and whatever proves who somebody is. */
function secrets(): string[] {
  const { people, agents } = line.interlock.context;
  return [UPSTREAM_TOKEN, ...Object.values(people), ...Object.values(agents).map(({ key }) => key)];
}

/** Returns which forms of which secret stand in some bytes. */
function leaksIn(bytes: Buffer | string): string[] {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1');
  return secrets().flatMap((secret) => formsOf(secret).filter((form) => text.includes(form)));
}

describe('the credential, agents’ keys and people’s tokens', () => {
  test('[P-secret-redacted] [P-secret-nowhere] are in no answer to an agent, though the API returned its credential in every form', () => {
    expect(new Set(arrived)).toEqual(new Set([`Bearer ${UPSTREAM_TOKEN}`]));
    expect(leaksIn(JSON.stringify(answerWith(`Bearer ${UPSTREAM_TOKEN}`)))).not.toEqual([]);
    for (const { said } of answers) {
      expect(leaksIn(said)).toEqual([]);
      expect(said).toContain('the rest of the answer');
    }
  });

  test('[P-secret-nowhere] [P-management-roles] stand in no stream, bucket, counter or record on disk, and in no log', async () => {
    const { data } = line.interlock;
    for (const { call } of answers) {
      const audited = await eventually(async () => {
        const { text } = await line.person('alice').get(`/v1/audit/calls/${call}`);
        return text.includes('"settled"') && text;
      });
      expect(leaksIn(audited)).toEqual([]);
    }
    for (const place of ['nats', 'redis', 'ferretdb', 'logs']) {
      const files = await filesBelow(path.join(data, place));
      const found = files.map(({ file, bytes }) => ({ file, leaks: leaksIn(bytes) }));
      expect(found.filter(({ leaks }) => leaks.length > 0)).toEqual([]);
      expect(files.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)).toBeGreaterThan(0);
    }
    const stored = await filesBelow(path.join(data, 'nats'));
    expect(stored.some(({ bytes }) => bytes.includes(answers[0]?.call ?? '-'))).toBe(true);
  });

  test('[P-secret-nowhere] [P-trace-no-content] are in no span', async () => {
    for (const { call } of answers) {
      const spans = await eventually(async () => {
        const { status, text } = await line.person('alice').get(`/v1/traces/${call}`);
        return status === 200 && text.includes('"interlock-executor"') && text;
      });
      expect(leaksIn(spans)).toEqual([]);
    }
  });

  test('[P-secret-files] and every key stand on disk in known files that their user alone may read, in folders that nobody else may enter', async () => {
    const { data } = line.interlock;
    const wanted = [...secrets(), ...(await keysOnDisk())];
    const holding = (await filesBelow(data))
      .filter(({ bytes }) => wanted.some((secret) => bytes.includes(secret)))
      .map(({ file }) => path.relative(data, file));
    const keys = services.map((service) => `keys/${service}.json`);
    expect(holding.sort()).toEqual(
      [
        ...keys,
        ...KEY_FILES.map((name) => `keys/${name}`),
        'context.json',
        'operator/operator.json',
        'redis.conf',
      ].sort(),
    );
    for (const file of holding)
      expect({ file, mode: await modeOf(data, file) }).toEqual({ file, mode: 0o600 });
    // Beside them: logs, ports, the servers' configuration and stores, which hold what agents and people did.
    expect(await modeOf(data, '.')).toBe(0o700);
    const entries = await readdir(data, { withFileTypes: true });
    const names = entries.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['logs', 'nats', 'nats.conf', 'redis', 'ferretdb']));
    for (const entry of entries)
      expect({ name: entry.name, mode: await modeOf(data, entry.name) }).toEqual({
        name: entry.name,
        mode: entry.isDirectory() ? 0o700 : 0o600,
      });
  });

  test('[P-secret-nowhere] are in no process’s arguments or environment, and neither is any key on disk', async () => {
    const { services: running, servers } = line.interlock;
    // The token under which spans are sent is in the environment of every service, as OpenTelemetry takes it.
    const traceToken = await readFile(path.join(line.interlock.data, 'keys', 'trace.token'), 'utf8');
    const words = (await keysOnDisk()).filter((word) => word !== traceToken.trim());
    for (const { name, pid } of [...running, ...servers]) {
      const seen = await seenOf(pid);
      const shown = words.filter((word) => seen.includes(word));
      expect({ name, leaks: [...leaksIn(seen), ...shown] }).toEqual({ name, leaks: [] });
      // Servers write over what they were started with; services do not.
      if (running.some((service) => service.pid === pid)) expect(seen).toContain('INTERLOCK_KEYS=');
    }
  });
});

/** Returns anything as long as a key in the files of keys: seeds, private keys, the key-encryption key. */
async function keysOnDisk(): Promise<string[]> {
  const { data } = line.interlock;
  const files = [...services.map((service) => `${service}.json`), ...KEY_FILES].map((name) => `keys/${name}`);
  const texts = await Promise.all(
    [...files, 'operator/operator.json'].map((file) => readFile(path.join(data, file), 'utf8')),
  );
  const words = texts.flatMap((text) => text.match(/[A-Za-z0-9_+/=-]{43,}/g) ?? []);
  expect(words.length).toBeGreaterThan(2 * files.length);
  return words;
}

async function modeOf(folder: string, file: string): Promise<number> {
  return (await stat(path.join(folder, file))).mode & 0o777;
}

/** Returns what other users of the machine may see of a process, and what its own user may. */
async function seenOf(pid: number): Promise<string> {
  try {
    const parts = ['cmdline', 'environ'].map((part) => readFile(`/proc/${pid}/${part}`, 'latin1'));
    return (await Promise.all(parts)).join('\0');
  } catch {
    return (await promisify(execFile)('ps', ['eww', '-p', String(pid)])).stdout;
  }
}
