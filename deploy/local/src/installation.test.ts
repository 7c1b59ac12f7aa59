import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { services } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ownVariables } from './service-variables.ts';

const MAIN = path.join(import.meta.dirname, 'main.ts');
const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');
const WELCOME = path.join(QUICKSTART, 'files', 'welcome.txt');
/** Ten processes and three servers start on whatever machine this is. */
const START_MS = 100_000;
const STOP_MS = 40_000;

/** A secret of another program in the environment of `up`. */
const UNRELATED = 'ANOTHER_PROGRAMS_SECRET';

const processSchema = z.object({ name: z.string(), pid: z.int() });
const upSchema = z.object({
  ingress: z.url(),
  console: z.url(),
  services: z.array(processSchema),
  servers: z.array(processSchema),
  data: z.string(),
});

const keysSchema = z.object({
  keys: z.array(z.object({ holder: z.string(), use: z.string(), keyId: z.string() })),
});
const stoppedSchema = z.object({ stopped: z.array(processSchema) });

interface Up {
  child: ChildProcess;
  stderr: () => string;
  result: z.infer<typeof upSchema>;
}

let data = '';
const started: ChildProcess[] = [];
beforeAll(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-up-'));
});
afterAll(async () => {
  for (const child of started) await end(child);
  await rm(data, { recursive: true, force: true });
}, STOP_MS);

async function up(...args: string[]): Promise<Up> {
  const child = spawn(
    process.execPath,
    [MAIN, 'up', '--config', QUICKSTART, '--data', data, '--json', '--yes', ...args],
    { env: { ...process.env, [UNRELATED]: 'of-another-program' } },
  );
  started.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const result = await eventually(() => {
    if (child.exitCode !== null) return { failed: stderr };
    return stdout.endsWith('}\n') && { up: upSchema.parse(JSON.parse(stdout)) };
  }, START_MS);
  if (result.up === undefined) throw new Error(`up ended: ${result.failed}`);
  return { child, stderr: () => stderr, result: result.up };
}

async function interlock(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args, '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, result] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    result += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  return { code, output, result };
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

function isRunning({ pid }: { pid: number }): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Returns the values of a key file that are no names and no ids: what they have in common is their length. */
function secretsIn(text: string): string[] {
  const values = text.match(/[A-Za-z0-9_-]{30,}/g) ?? [];
  return values.filter((value) => !/^(root|sig|box|kek)_/.test(value));
}

const readWelcome = () => interlock('call', 'files_read_text_file', JSON.stringify({ path: WELCOME }));

// Each test continues with the installation that the one before it left.
describe('interlock up', () => {
  let running: Up;

  test(
    'starts every service as its own process and says where they are, and a call works',
    async () => {
      running = await up();
      expect(running.result.services.map(({ name }) => name).sort()).toEqual([...services].sort());
      expect(new Set(running.result.services.map(({ pid }) => pid)).size).toBe(services.length);
      expect(running.result.services.every(isRunning)).toBe(true);
      expect(await readWelcome()).toMatchObject({
        code: 0,
        output: expect.stringContaining('This folder is what'),
      });
    },
    START_MS,
  );

  test('[P-up-progress] says what it does while it starts, and where it waits', () => {
    const said = running.stderr().split('\n');
    const places = [
      /^interlock: compiling the policies of .*quickstart$/,
      /^interlock: asking MCP servers for their tools: files$/,
      /^interlock: starting nats-server, redis-server, ferretdb$/,
      /^interlock: starting provisioner$/,
      /^interlock: starting .*ingress/,
      /^interlock: applying the configuration: 3 tool files, 1 agents, 2 people$/,
      /^interlock: applied: \d+ created, 0 changed, 0 removed$/,
      /^interlock: every service is ready$/,
      /^interlock: every decider uses the policy$/,
    ].map((line) => said.findIndex((one) => line.test(one)));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
  });

  test('no service and no server holds a variable of another one or of another program', async () => {
    for (const { name, pid } of [...running.result.services, ...running.result.servers]) {
      const { stdout } = await promisify(execFile)('ps', ['eww', '-o', 'command=', '-p', String(pid)]);
      const names = [...stdout.matchAll(/(?<=^| )[A-Za-z_]+(?==)/g)].map(([one]) => one);
      expect(names).not.toContain(UNRELATED);
      const ofOthers = services.filter((other) => other !== name).flatMap((other) => ownVariables[other]);
      expect(names.filter((one) => ofOthers.includes(one))).toEqual([]);
    }
    // Servers write over what they were started with; services do not.
    const limiter = running.result.services.find(({ name }) => name === 'limiter');
    const { stdout } = await promisify(execFile)('ps', ['eww', '-o', 'command=', '-p', `${limiter?.pid}`]);
    expect(stdout).toContain(' REDIS_URL=');
  });

  test('Redis and FerretDB listen on sockets that only their user may enter, and Redis answers nobody without a password', async () => {
    const sockets = path.join(data, 'sockets');
    expect((await stat(sockets)).mode & 0o777).toBe(0o700);
    expect((await readdir(sockets)).sort()).toEqual(['ferretdb.sock', 'redis.sock']);
    expect(Object.keys(JSON.parse(await readFile(path.join(data, 'ports.json'), 'utf8'))).sort()).toEqual([
      'console',
      'ingress',
      'nats',
    ]);
    const socket = connect({ path: path.join(sockets, 'redis.sock') });
    socket.write('FLUSHALL\r\n');
    const [answer] = await once(socket, 'data');
    socket.destroy();
    expect(String(answer)).toMatch(/^-NOAUTH /);
  });

  test(
    'a Redis and a FerretDB that were killed listen again, and calls work again',
    async () => {
      for (const { name, pid } of running.result.servers)
        if (name !== 'nats-server') process.kill(pid, 'SIGKILL');
      await eventually(() => running.stderr().includes('ferretdb was ended by SIGKILL'));
      await eventually(async () => (await interlock('doctor')).code === 0, START_MS);
      expect(await readWelcome()).toMatchObject({ code: 0 });
    },
    START_MS,
  );

  test('[P-installation-commands] keys lists every key with its holder and use, and no private part', async () => {
    const { code, output } = await interlock('keys', '--json');
    const { keys } = keysSchema.parse(JSON.parse(output));
    expect(code).toBe(0);
    const names = keys.map(({ holder, use }) => `${holder} ${use}`).sort();
    const certified = services.flatMap((service) => [`${service} seal`, `${service} sign`]);
    expect(names).toEqual([...certified, 'author sign', 'broker encrypt', 'operator certify'].sort());
    const folder = path.join(data, 'keys');
    const files = (await readdir(folder)).map((name) => path.join(folder, name));
    for (const file of [...files, path.join(data, 'operator', 'operator.json')]) {
      const secrets = secretsIn(await readFile(file, 'utf8'));
      expect(secrets.filter((secret) => output.includes(secret))).toEqual([]);
    }
  });

  test('[P-installation-commands] doctor says that everything is in order, and which key others can read', async () => {
    expect(await interlock('doctor')).toMatchObject({
      code: 0,
      output: expect.not.stringContaining('NOT OK'),
    });
    const key = path.join(data, 'keys', 'author.json');
    await chmod(key, 0o644);
    expect(await interlock('doctor')).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^NOT OK {2}only its owner reads keys\/author\.json +mode 0644$/m),
    });
    await chmod(key, 0o600);
  });

  test('[P-installation-commands] logs prints what services and servers wrote, a line for each process it names', async () => {
    const { code, output } = await interlock('logs', '--lines', '1');
    expect(code).toBe(0);
    const names = output
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(names).toEqual(expect.arrayContaining([...services, 'nats-server', 'redis-server']));
    expect(new Set(names).size).toBe(names.length);
    expect((await interlock('logs', 'limiter')).output).toMatch(/^limiter {2}\{.*"msg":"ready"\}$/m);
  });

  test('a second one on the same data is refused', async () => {
    const second = await interlock('up', '--config', QUICKSTART);
    expect(second).toMatchObject({
      code: 1,
      output: expect.stringContaining('interlock: already_running: '),
    });
  });

  test(
    '[P-up-supervises] starts again what dies, and calls work again',
    async () => {
      const executor = running.result.services.find(({ name }) => name === 'executor');
      process.kill(executor?.pid ?? 0, 'SIGKILL');
      await eventually(() => running.stderr().includes('executor was ended by SIGKILL; it is started again'));
      await eventually(async () => (await readWelcome()).code === 0, START_MS);
    },
    START_MS,
  );

  test(
    '[P-up-supervises] after it was killed while ingress hung, the next one ends what it left and is where it was',
    async () => {
      const { child, result } = running;
      const ingress = result.services.find(({ name }) => name === 'ingress') ?? expect.unreachable();
      process.kill(ingress.pid, 'SIGSTOP');
      child.kill('SIGKILL');
      await once(child, 'exit');
      running = await up();
      expect([running.result.ingress, running.result.console]).toEqual([result.ingress, result.console]);
      expect([...result.services, ...result.servers].filter(isRunning)).toEqual([]);
      expect(running.stderr()).toMatch(/ended without stopping what it had started: ended .*ingress/);
      expect(await readWelcome()).toMatchObject({ code: 0 });
    },
    START_MS,
  );

  test(
    '[P-up-supervises] stops on SIGTERM with exit code 0 and leaves no process',
    async () => {
      expect(await end(running.child)).toBe(0);
      expect([...running.result.services, ...running.result.servers].filter(isRunning)).toEqual([]);
    },
    STOP_MS,
  );

  test(
    'starts again on the same data in one process, where it was, and knows what it knew',
    async () => {
      const again = await up('--single');
      expect(new Set(again.result.services.map(({ pid }) => pid)).size).toBe(1);
      expect([again.result.ingress, again.result.console]).toEqual([
        running.result.ingress,
        running.result.console,
      ]);
      expect(await readWelcome()).toMatchObject({ code: 0 });
      const { result, output } = await interlock('apply', QUICKSTART, '--json');
      expect(output).toMatch(/warning: tools\/add-note\.yaml:\d+:\d+: .*no credential notes-token is set/);
      expect(JSON.parse(result)).toMatchObject({ created: [], changed: [], removed: [] });
      running = again;
    },
    START_MS,
  );

  test(
    '[P-installation-commands] down stops it, waits until it has ended, and says what it stopped; after that nothing runs',
    async () => {
      const { code, output } = await interlock('down', '--json');
      expect(code).toBe(0);
      expect(running.child.exitCode).toBe(0);
      const stopped = stoppedSchema.parse(JSON.parse(output)).stopped;
      expect(stopped.map(({ name }) => name)).toEqual(['up', 'nats-server', 'redis-server', 'ferretdb']);
      expect([...stopped, ...running.result.services].filter(isRunning)).toEqual([]);
      expect(await interlock('down')).toMatchObject({
        code: 3,
        output: expect.stringContaining(
          `interlock: not_running: No interlock up runs with the data folder ${data}.`,
        ),
      });
    },
    STOP_MS,
  );
});
