import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createIdentities, createOperator, writeIdentities } from './operator.ts';

const FIXTURE = join(import.meta.dirname, '../test-fixtures/trivial.ts');
const DEADLINE_MS = 15_000;

const readySchema = z.strictObject({
  type: z.literal('ready'),
  service: z.literal('limiter'),
  url: z.url(),
  healthUrl: z.url(),
  pid: z.int(),
});

let folder: string;
const operator = createOperator();
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interlock-run-'));
  const times = { nowMs: Date.now(), notAfterMs: Date.now() + 60 * 60 * 1000 };
  await writeIdentities(folder, createIdentities(operator, { seeds: { limiter: 'SUA' }, ...times }));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Fixture {
  child: ChildProcess;
  printed: () => string;
  errors: () => string;
  lines: () => Record<string, unknown>[];
  ready: () => Promise<z.infer<typeof readySchema>>;
  exit: () => Promise<number | null>;
}

function environment(): Record<string, string> {
  return {
    NATS_URL: 'nats://127.0.0.1:4222',
    INTERLOCK_KEYS: folder,
    INTERLOCK_KEYRING: join(folder, 'keyring.jws'),
    INTERLOCK_ROOT_KEY: operator.rootKey,
  };
}

function start(env: Record<string, string> = {}): Fixture {
  const child = fork(FIXTURE, {
    silent: true,
    execArgv: [],
    env: { ...environment(), ...env },
  });
  children.add(child);
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const [stdout, stderr] = [
    z.instanceof(Readable).parse(child.stdout),
    z.instanceof(Readable).parse(child.stderr),
  ];
  // Not `close`: that is never emitted after the parent's side of the channel was disconnected.
  const ended = Promise.all([
    once(child, 'exit', { signal }),
    once(stdout, 'end', { signal }),
    once(stderr, 'end', { signal }),
  ]);
  const message = once(child, 'message', { signal });
  for (const wait of [ended, message]) wait.catch(() => undefined);
  const printed = collect(stdout);
  return {
    child,
    printed,
    errors: collect(stderr),
    lines: () =>
      printed()
        .trimEnd()
        .split('\n')
        .map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line))),
    ready: async () => readySchema.parse((await message)[0]),
    exit: async () =>
      z
        .int()
        .nullable()
        .parse((await ended)[0][0]),
  };
}

function collect(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  return () => text;
}

test('a wrong configuration ends the start with one line, exit code 78 and no stack', async () => {
  const fixture = start({ INTERLOCK_LOG_LEVEL: 'loud' });
  expect(await fixture.exit()).toBe(78);
  expect(fixture.errors()).toMatch(/^INTERLOCK_LOG_LEVEL is wrong: [^\n]*expected one of[^\n]*\n$/);
  expect(fixture.printed()).toBe('');
});

test('a keyring of another operator ends the start with exit code 78', async () => {
  const fixture = start({ INTERLOCK_ROOT_KEY: createOperator().rootKey });
  expect(await fixture.exit()).toBe(78);
  expect(fixture.errors()).toMatch(/^[^\n]*is not a keyring signed by [^\n]*\n$/);
});

test('a service that cannot start ends the process non-zero, logged once with its causes', async () => {
  const fixture = start({ FIXTURE_FAILS: 'at-start' });
  expect(await fixture.exit()).toBe(1);
  const failures = fixture.lines().filter(({ err }) => err !== undefined);
  expect(failures).toMatchObject([
    { level: 'fatal', err: { message: 'the fixture does not start', causes: [{ message: 'on purpose' }] } },
  ]);
});

test('an unhandled error ends the process non-zero, logged once with its causes', async () => {
  const fixture = start();
  await fixture.ready();
  fixture.child.send('reject');
  fixture.child.send('finish');
  expect(await fixture.exit()).toBe(1);
  const failures = fixture.lines().filter(({ level }) => level === 'fatal');
  expect(failures).toMatchObject([
    { err: { message: 'nobody awaits this', causes: [{ message: 'on purpose' }] } },
  ]);
});

test('a process that is asked to stop while it waits to become ready ends at once and without an error', async () => {
  const fixture = start({ FIXTURE_FAILS: 'to-become-ready' });
  await expect.poll(fixture.printed, { timeout: DEADLINE_MS }).toContain('waiting');
  fixture.child.kill('SIGTERM');
  expect(await fixture.exit()).toBe(0);
  expect(fixture.lines().at(-1)).toMatchObject({ level: 'info', msg: 'stopped while starting' });
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  'after %s a process is not ready, drains and ends by itself',
  async (signal) => {
    const fixture = start();
    const { healthUrl } = await fixture.ready();
    expect((await fetch(`${healthUrl}/readyz`)).status).toBe(200);
    fixture.child.kill(signal);
    await expect
      .poll(async () => (await fetch(`${healthUrl}/readyz`)).json(), { timeout: DEADLINE_MS })
      .toMatchObject({ ready: false, checks: { process: 'the process is stopping' } });
    expect(fixture.printed()).not.toContain('drained');
    fixture.child.send('finish');
    expect(await fixture.exit()).toBe(0);
    const messages = fixture.lines().map(({ msg }) => msg);
    expect(messages).toEqual([
      'inside a span',
      'ready',
      'asked to stop',
      'takes no new work',
      'draining',
      'drained',
    ]);
  },
);

test('[P-log-never-fails] a process whose log is on a full disk runs and stops as ever', async () => {
  const full = openSync('/dev/full', 'w');
  const child = fork(FIXTURE, { stdio: ['ignore', full, 'ignore', 'ipc'], execArgv: [], env: environment() });
  closeSync(full);
  children.add(child);
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const exit = once(child, 'exit', { signal });
  exit.catch(() => undefined);
  const [message] = await once(child, 'message', { signal });
  const { healthUrl } = readySchema.parse(message);
  expect((await fetch(`${healthUrl}/readyz`)).status).toBe(200);
  child.kill('SIGTERM');
  child.send('finish');
  expect(await exit).toEqual([0, null]);
});

test('a process ends with its parent where INTERLOCK_EXIT_WITH_PARENT is 1', async () => {
  const fixture = start({ INTERLOCK_EXIT_WITH_PARENT: '1' });
  await fixture.ready();
  fixture.child.disconnect();
  expect(await fixture.exit()).toBe(0);
  expect(fixture.printed()).toContain('the parent process has ended');
});

test('spans reach the collector before the process ends, and log lines carry their ids', async () => {
  const collector = createServer();
  const body = new Promise<string>((resolve) => {
    collector.on('request', (request, response) => {
      const received = collect(request);
      request.on('end', () => {
        response.setHeader('content-type', 'application/json').end('{}');
        resolve(received());
      });
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const address = z.object({ port: z.int() }).parse(collector.address());
  try {
    const fixture = start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${address.port}` });
    await fixture.ready();
    fixture.child.kill('SIGTERM');
    fixture.child.send('finish');
    expect(await fixture.exit()).toBe(0);
    const sent = await body;
    expect(sent).toContain('"interlock-limiter"');
    expect(sent).not.toContain(FIXTURE);
    const { traceId } = z.object({ traceId: z.string() }).parse(fixture.lines()[0]);
    expect(sent).toContain(traceId);
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  } finally {
    collector.close();
    collector.closeAllConnections();
  }
});
