import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock, writeLock } from './lock.ts';
import { takePorts } from './ports.ts';
import { SupervisedProcess } from './supervise.ts';

let data = '';
let child: SupervisedProcess | undefined;
const reported: string[] = [];
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-supervise-'));
});
afterEach(async () => {
  await child?.stop();
  child = undefined;
  reported.length = 0;
  await rm(data, { recursive: true, force: true });
});

function supervise(program: string): SupervisedProcess {
  child = new SupervisedProcess(
    {
      name: 'probe',
      command: process.execPath,
      args: ['-e', program],
      env: {},
      cwd: data,
      logFile: path.join(data, 'probe.log'),
      reportsReady: true,
    },
    (line) => reported.push(line),
  );
  child.start();
  return child;
}

const READY =
  "process.send({type: 'ready', service: 'probe', healthUrl: 'http://127.0.0.1:1', pid: process.pid});";

test('[P-up-supervises] a process that ends is started again, and that is reported', async () => {
  const probe = supervise(`${READY} setInterval(() => {}, 1000)`);
  await eventually(() => probe.ready.length === 1);
  const first = probe.pid;
  probe.signal('SIGKILL');
  await eventually(() => probe.ready[0] !== undefined && probe.pid !== first);
  expect(reported).toEqual([
    expect.stringContaining('probe was ended by SIGKILL; it is started again in 250 ms'),
  ]);
});

test('[P-up-supervises] a process that cannot be started is reported, and tried again with growing pauses', async () => {
  supervise('process.exit(7)');
  await eventually(() => reported.length >= 2);
  expect(reported[0]).toContain('ended with code 7; it is started again in 250 ms');
  expect(reported[1]).toContain('it is started again in 500 ms');
});

test('[P-up-supervises] a process that was ready is started again half a second after it ended, however often it did', async () => {
  const probe = supervise(`${READY} setInterval(() => {}, 1000)`);
  for (let kills = 1; kills <= 8; kills += 1) {
    await eventually(() => probe.starts === kills && probe.ready.length === 1);
    probe.signal('SIGKILL');
    await eventually(() => reported.length === kills);
  }
  const pauses = reported.map((line) => Number(/started again in (\d+) ms/.exec(line)?.[1]));
  expect(pauses).toEqual([250, 500, 500, 500, 500, 500, 500, 500]);
});

test('a process that is stopped is not started again, even when it was paused', async () => {
  const probe = supervise(`${READY} setInterval(() => {}, 1000)`);
  await eventually(() => probe.ready.length === 1);
  const { pid } = probe;
  probe.signal('SIGSTOP');
  await probe.stop();
  expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH');
  expect(reported).toEqual([]);
});

test('a process that crashes writes no image of its memory', async () => {
  supervise(
    "const { execSync } = require('node:child_process'); console.log('limit', String(execSync('ulimit -H -c')))",
  );
  await eventually(async () =>
    (await readFile(path.join(data, 'probe.log'), 'utf8')).startsWith('limit 0\n'),
  );
});

test('what a process prints is in its log', async () => {
  supervise(`${READY} console.log('printed'); console.error('complained')`);
  await eventually(async () => {
    const log = await readFile(path.join(data, 'probe.log'), 'utf8');
    return log.includes('printed') && log.includes('complained');
  });
});

test('a second run with the same data folder is refused', async () => {
  await using _lock = await takeLock(data, () => undefined);
  await expect(takeLock(data, () => undefined)).rejects.toMatchObject({ code: 'already_running' });
});

test('[P-up-supervises] a service that a crashed run left is ended, even when it hangs, and no other process', async () => {
  const probe = supervise(`${READY} setInterval(() => {}, 1000)`);
  await eventually(() => probe.ready.length === 1);
  const left = probe.pid ?? 0;
  probe.signal('SIGSTOP');
  await writeLock(data, { services: [{ name: 'probe', pid: left }], servers: [] });
  const lock = path.join(data, 'up.json');
  // The owner has ended: no running process began when it did.
  const known: unknown = JSON.parse(await readFile(lock, 'utf8'));
  await writeFile(
    lock,
    JSON.stringify({ ...Object(known), owner: { name: 'up', pid: process.pid, began: 1 } }),
  );
  await using _lock = await takeLock(data, (line) => reported.push(line));
  await eventually(() => probe.pid !== left);
  expect(reported).toContainEqual(
    expect.stringContaining('ended without stopping what it had started: ended probe'),
  );
});

test('ports are the same after a restart', async () => {
  const file = path.join(data, 'ports.json');
  const first = await takePorts(file, {});
  expect(await takePorts(file, {})).toEqual(first);
  expect(new Set(Object.values(first)).size).toBe(3);
});

test('a port that another process held during one start is the same again at the next', async () => {
  const file = path.join(data, 'ports.json');
  const first = await takePorts(file, {});
  const holder = createServer().listen(first.ingress, '127.0.0.1');
  await once(holder, 'listening');
  expect((await takePorts(file, {})).ingress).not.toBe(first.ingress);
  holder.close();
  await once(holder, 'close');
  expect(await takePorts(file, {})).toEqual(first);
});

test('installations share no port, and none has a port that the system gives to connections', async () => {
  const files = ['one.json', 'two.json', 'three.json'].map((name) => path.join(data, name));
  const ports = (await Promise.all(files.map((file) => takePorts(file, {})))).flatMap(Object.values);
  expect(new Set(ports).size).toBe(9);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test('a wanted port that is in use is refused', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  await expect(takePorts(path.join(data, 'ports.json'), { ingress: port })).rejects.toMatchObject({
    code: 'port_taken',
  });
  server.close();
});
