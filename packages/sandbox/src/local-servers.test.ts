import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type LocalServerConnection, localServerSchema } from '@interlock/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalServers } from './local-servers.ts';
import { findSandbox } from './sandbox.ts';

const SECRET = 'the-private-key';
const MEBIBYTE = 1_048_576;
let folder = '';
let data = '';
let shown = '';
let servers: LocalServers;
let reports: string[] = [];

beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'interlock-sandbox-test-')));
  data = path.join(folder, 'data');
  shown = path.join(folder, 'shown');
  await mkdir(data);
  await mkdir(shown);
  await writeFile(path.join(data, 'key'), SECRET);
  await writeFile(path.join(shown, 'note'), 'a note');
  servers = await open(process.env);
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function open(env: Readonly<Record<string, string | undefined>>): Promise<LocalServers> {
  return await LocalServers.open({ env, forbidden: [data], report: (line) => reports.push(line) });
}

function connectionTo(script: string, more: object = {}): LocalServerConnection {
  return localServerSchema.parse({
    transport: 'stdio',
    command: process.execPath,
    args: ['-e', script],
    ...more,
  });
}

/** Runs a program to its end, as a server is run. */
async function run(
  connection: LocalServerConnection,
  { by = servers, watched = true } = {},
): Promise<{ said: string; signal: unknown }> {
  await using server = await by.prepare(connection);
  const { command, args, env, cwd } = server;
  const child = spawn(command, args, { env: { ...env }, cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  if (watched && child.pid !== undefined) server.watch(child.pid);
  let said = '';
  child.stdout.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-100_000);
  });
  const [, signal] = await once(child, 'close');
  return { said, signal };
}

const tried = (expression: string) =>
  `try { console.log(${expression}) } catch (error) { console.log(error.code ?? error.message) }`;

const sandbox = await findSandbox(process.env);
/** Where the machine allows no sandbox there is nothing to show, and a title says so. */
const inSandbox =
  sandbox.kind === 'bubblewrap'
    ? describe
    : (subject: string, _: () => void) =>
        test(`${subject} is not shown on this machine: ${sandbox.why}`, () => undefined);

inSandbox('what a local server may not have', () => {
  test('[P-mcp-sandbox] it cannot read the keys, whatever it is given as arguments', async () => {
    const read = tried(`require('fs').readFileSync('${data}/key', 'utf8')`);
    expect(await run(connectionTo(read))).toMatchObject({ said: 'ENOENT\n' });
    const list = tried(`require('fs').readdirSync('.').join()`);
    expect(await run(connectionTo(list))).toMatchObject({ said: '\n' });
  });

  test.each([
    ['the folder with the keys', () => ({ mounts: [{ path: data }] })],
    ['a folder in it', () => ({ mounts: [{ path: path.join(data, 'logs') }] })],
    ['a folder round it', () => ({ mounts: [{ path: folder }] })],
    ['everything', () => ({ mounts: [{ path: '/' }] })],
    ['a link to it', () => ({ mounts: [{ path: path.join(folder, 'link') }] })],
    ['it as the place to start in', () => ({ cwd: data })],
  ])('it is not given %s', async (_, more) => {
    await mkdir(path.join(data, 'logs'), { recursive: true });
    await symlink(data, path.join(folder, 'link')).catch(() => undefined);
    await expect(run(connectionTo('', more()))).rejects.toMatchObject({ code: 'configuration_invalid' });
  });

  test('it is given no folder inside one that it may write, where it could put a link', async () => {
    const mounts = [{ path: shown, access: 'rw' }, { path: path.join(shown, 'inner') }];
    await mkdir(path.join(shown, 'inner'), { recursive: true });
    await expect(run(connectionTo('', { mounts }))).rejects.toMatchObject({ code: 'configuration_invalid' });
  });

  test("[P-mcp-sandbox] it sees no other process, and nobody's environment", async () => {
    const list = `console.log(require('fs').readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length)`;
    expect(Number((await run(connectionTo(list))).said)).toBeLessThan(6);
    const environ = tried(`require('fs').readFileSync('/proc/${process.pid}/environ', 'utf8').length`);
    expect(['ENOENT\n', 'EACCES\n']).toContain((await run(connectionTo(environ))).said);
  });

  test('[P-mcp-sandbox] it reaches no network that was not declared', async () => {
    const listening = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const address = listening.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const connect = `require('net').connect(${port}, '127.0.0.1').on('data', (text) => console.log(String(text)))
      .on('error', (error) => console.log(error.code))`;
    expect((await run(connectionTo(connect))).said).not.toContain('hello');
    expect((await run(connectionTo(connect, { network: 'host' }))).said).toBe('hello\n');
    listening.close();
  });

  test('it writes nothing outside of what was declared for writing', async () => {
    const write = tried(`require('fs').writeFileSync('${shown}/written', 'x')`);
    expect((await run(connectionTo(write))).said).toBe('ENOENT\n');
    expect((await run(connectionTo(write, { mounts: [{ path: shown }] }))).said).toBe('EROFS\n');
    expect((await run(connectionTo(write, { mounts: [{ path: shown, access: 'rw' }] }))).said).toBe(
      'undefined\n',
    );
    expect(await readFile(path.join(shown, 'written'), 'utf8')).toBe('x');
    const root = tried(`require('fs').mkdirSync('/elsewhere')`);
    expect((await run(connectionTo(root))).said).toBe('EROFS\n');
  });

  test('it gains no privilege and makes no namespace of its own', async () => {
    const status = `console.log(require('fs').readFileSync('/proc/self/status', 'utf8'))`;
    const { said } = await run(connectionTo(status));
    expect(said).toMatch(/^CapEff:\t0+$/m);
    expect(said).toMatch(/^CapBnd:\t0+$/m);
    expect(said).toMatch(/^NoNewPrivs:\t1$/m);
    expect(said).toMatch(/^Seccomp:\t2$/m);
    const unshare = `console.log(require('child_process').spawnSync('unshare', ['--user', 'true']).status)`;
    expect((await run(connectionTo(unshare))).said).toBe('1\n');
  });

  test('it starts also where its program is reached through links', async () => {
    const program = path.join(folder, 'node_modules', '.bin', 'program');
    const installed = path.join(folder, 'installed', 'node_modules', '.bin');
    await mkdir(installed, { recursive: true });
    await mkdir(path.join(folder, 'node_modules'));
    await writeFile(path.join(installed, 'program'), '#!/bin/sh\necho started\n', { mode: 0o755 });
    await symlink(installed, path.join(folder, 'node_modules', '.bin'));
    const connection = localServerSchema.parse({ transport: 'stdio', command: program });
    expect((await run(connection)).said).toBe('started\n');
  });

  test('its secrets stand in no command line', async () => {
    await using server = await servers.prepare(connectionTo('', { env: { TOKEN: SECRET } }));
    expect([server.command, ...server.args].join(' ')).not.toContain(SECRET);
  });
});

inSandbox('the limits of a local server', () => {
  const limits = { memoryBytes: 256 * MEBIBYTE, processes: 40, outputBytes: 4 * MEBIBYTE };
  const forever = 'setInterval(() => {}, 1000);';

  test('[P-mcp-limits] end it when it takes too much memory, with everything it started', async () => {
    reports = [];
    const take = `${forever} const kept = []; setInterval(() => kept.push(Buffer.alloc(${8 * MEBIBYTE}, 1)), 20)`;
    await run(connectionTo(take, { limits }));
    expect(reports.join()).toContain('bytes of memory');
  });

  test('[P-mcp-limits] count what its children take', async () => {
    reports = [];
    const child = `const kept = Buffer.alloc(${100 * MEBIBYTE}, 1); setInterval(() => kept.length, 1000)`;
    const take = `${forever} for (let i = 0; i < 3; i += 1)
      require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}])`;
    await run(connectionTo(take, { limits: { ...limits, processes: 200 } }));
    expect(reports.join()).toContain('bytes of memory');
  });

  test('[P-mcp-limits] end a server that starts processes without end', async () => {
    reports = [];
    const bomb = `${forever} setInterval(() => require('child_process')
      .spawn('/bin/sh', ['-c', 'sleep 1000'], { detached: true }).on('error', () => {}), 1)`;
    await run(connectionTo(bomb, { limits }));
    expect(reports.join()).toContain('processes');
  });

  test('[P-mcp-limits] end a server that writes without end', async () => {
    reports = [];
    await run(connectionTo(`setInterval(() => console.log('x'.repeat(60_000)), 1)`, { limits }));
    expect(reports.join()).toContain('output');
  });

  test('bound its own folder and every file it writes', async () => {
    const fill = tried(`require('fs').writeFileSync('big', Buffer.alloc(${8 * MEBIBYTE}))`);
    expect(['EFBIG\n', 'ENOSPC\n']).toContain(
      (await run(connectionTo(fill, { limits }), { watched: false })).said,
    );
    const many = `process.on('SIGXFSZ', () => {});
      ${tried(`[1, 2, 3].map((n) => require('fs').writeFileSync('f' + n, Buffer.alloc(${2 * MEBIBYTE})))`)}`;
    expect((await run(connectionTo(many, { limits }), { watched: false })).said).toBe('ENOSPC\n');
  });
});

describe('without bubblewrap', () => {
  const without = { PATH: process.env['PATH'], INTERLOCK_BWRAP_BIN: '/nowhere/bwrap' };

  test('it is said why there is no sandbox', async () => {
    expect(await findSandbox({ PATH: '/nowhere' })).toEqual({
      kind: 'none',
      why: expect.stringContaining('not installed'),
    });
    expect(await findSandbox(without)).toEqual({
      kind: 'none',
      why: expect.stringContaining('/nowhere/bwrap'),
    });
  });

  test('a server still gets an empty folder of its own, the declared environment alone, and the limits', async () => {
    await using open_ = await open(without);
    const tell = `console.log(JSON.stringify([process.cwd(), require('fs').readdirSync('.'), process.env]))`;
    const { said } = await run(connectionTo(tell, { env: { A: 'b' } }), { by: open_ });
    const [cwd, files, env] = JSON.parse(said);
    expect(files).toEqual([]);
    expect(Object.keys(env).sort()).toEqual(['A', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
    expect(existsSync(cwd)).toBe(false);
    reports = [];
    const limits = { outputBytes: 4 * MEBIBYTE };
    await run(connectionTo(`setInterval(() => console.log('x'.repeat(60_000)), 1)`, { limits }), {
      by: open_,
    });
    expect(reports.join()).toContain('output');
  });
});

test('folders of processes that were killed are removed by the next one', async () => {
  const left = await mkdtemp(path.join(tmpdir(), 'interlock-servers-999999999-'));
  await using _ = await open(process.env);
  expect(existsSync(left)).toBe(false);
});
