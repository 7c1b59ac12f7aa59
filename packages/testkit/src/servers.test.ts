import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { startMongo } from './mongo.ts';
import { startNats } from './nats.ts';
import { type ServerProcess, startServer } from './processes.ts';
import { startRedis } from './redis.ts';

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Disposes a server and returns whether it ended and left nothing on disk. */
async function disposed(owner: AsyncDisposable, { pid, folder }: ServerProcess): Promise<boolean> {
  await owner[Symbol.asyncDispose]();
  return !runs(pid) && !existsSync(folder);
}

function natsConfig(folder: string, port: number): string {
  return `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(folder, 'store')}" }\n`;
}

function redisOf(url: string): Redis {
  const redis = new Redis(url, { lazyConnect: true, commandTimeout: 500, retryStrategy: () => 20 });
  redis.on('error', () => undefined);
  return redis;
}

test('a missing program is named in the error with its variable', async () => {
  const recipe = { variable: 'INTERLOCK_ABSENT_BIN', program: 'interlock-absent', prepare: () => [] };
  await expect(startServer(recipe)).rejects.toThrow(/interlock-absent .*INTERLOCK_ABSENT_BIN/s);
});

test('a server that refuses its configuration is quoted in the error', async () => {
  await expect(startNats({ configText: () => 'no_such_setting: 1' })).rejects.toThrow(/no_such_setting/);
});

test('a nats-server answers on its port and ends when it is disposed', async () => {
  const nats = await startNats({ configText: natsConfig });
  const greeting = await greetingAt(nats.server.port);
  expect(greeting).toMatch(/^INFO \{.*"jetstream":true/);
  expect(await disposed(nats, nats.server)).toBe(true);
});

test('a MongoDB-wire server answers and ends when it is disposed', async () => {
  const mongo = await startMongo();
  expect(existsSync(join(mongo.server.folder, 'data'))).toBe(true);
  expect(await disposed(mongo, mongo.server)).toBe(true);
});

test('a Redis evicts nothing and keeps its data and port over a crash', async () => {
  await using server = await startRedis();
  const redis = redisOf(server.url);
  try {
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    await redis.set('slot', 'taken');
    const before = server.server.pid;
    await server.server.kill();
    expect(runs(before)).toBe(false);
    await server.server.restart();
    expect(server.server.pid).not.toBe(before);
    expect(await eventually(async () => (await redis.get('slot')) ?? undefined)).toBe('taken');
  } finally {
    redis.disconnect();
  }
});

test('a paused server answers nothing until it is resumed', async () => {
  await using server = await startRedis();
  const redis = redisOf(server.url);
  try {
    expect(await redis.ping()).toBe('PONG');
    await server.server.pause();
    await expect(redis.ping()).rejects.toThrow('timed out');
    server.server.resume();
    expect(await eventually(() => redis.ping())).toBe('PONG');
  } finally {
    redis.disconnect();
  }
});

test('a paused server can still be disposed', async () => {
  const redis = await startRedis();
  await redis.server.pause();
  expect(await disposed(redis, redis.server)).toBe(true);
});

test('a server does not outlive a test process that is killed', async () => {
  const owner = fork(join(import.meta.dirname, '../test-fixtures/orphan.ts'), { execArgv: [] });
  const [message] = await once(owner, 'message', { signal: AbortSignal.timeout(20_000) });
  const pid = Number(message.pid);
  const folder = String(message.folder);
  expect(runs(pid)).toBe(true);
  owner.kill('SIGKILL');
  await eventually(() => !runs(pid));
  await rm(folder, { recursive: true });
});

async function greetingAt(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
  socket.destroy();
  return String(chunk);
}
