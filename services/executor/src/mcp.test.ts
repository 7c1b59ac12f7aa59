import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mcpTargetSchema, mcpTransportSchema, sha256 } from '@interlock/contracts';
import { createEgress, type Egress } from '@interlock/egress';
import { Secret } from '@interlock/keys';
import { discoverTools } from '@interlock/mcp';
import { commandListOf, LocalServers } from '@interlock/sandbox';
import { processEnvironment } from '@interlock/shell';
import { caller } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ToolRequest } from './http.ts';
import { performMcp } from './mcp-perform.ts';
import { McpPool, type McpTarget } from './mcp-pool.ts';
import { type McpUpstream, startMcpUpstream } from './mcp-server.fixture.ts';
import { createSendGuard } from './send-guard.ts';

const MODULES = join(import.meta.dirname, '../../../node_modules');
const TOKEN = 'tok-3f9c1ab27e';
const never = new AbortController().signal;
const { privateKey } = generateKeyPairSync('ed25519');
let egress: Egress;
let pool: McpPool;
let folder = '';
let own = '';
let servers: LocalServers;
let nowMs = performance.now();
let upstream: McpUpstream;

beforeAll(async () => {
  egress = createEgress();
  own = await mkdtemp(join(tmpdir(), 'interlock-commands-'));
  const env = processEnvironment();
  servers = await LocalServers.open({ env, forbidden: [own], report: () => undefined });
  pool = new McpPool({
    egress,
    signingKey: { keyId: 'sig_1', privateKey },
    nowMs: () => Date.now(),
    monotonicMs: () => nowMs,
    servers,
    commandsFile: join(own, 'commands.json'),
  });
  folder = await realpath(await mkdtemp(join(tmpdir(), 'interlock-mcp-')));
  await writeFile(join(folder, 'note.txt'), 'hello from a real file');
  await list(filesystem());
  upstream = await startMcpUpstream(TOKEN);
});

afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  await egress[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
  await rm(own, { recursive: true });
});

function filesystem() {
  const main = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/package.json');
  const args = [join(dirname(main), 'dist/index.js'), folder];
  const mounts = [{ path: MODULES }, { path: folder }];
  return mcpTransportSchema.parse({ transport: 'stdio', command: process.execPath, args, mounts });
}

/** Lets the executor start these servers, and no others. */
async function list(...connections: McpTarget['connection'][]): Promise<void> {
  const local = connections.filter((connection) => connection.transport === 'stdio');
  await writeFile(join(own, 'commands.json'), JSON.stringify(commandListOf(local)));
}

function remote(path = '/mcp') {
  const origin = `http://127.0.0.1:${upstream.port}`;
  const egressPolicy = { allow: [origin], allowPrivate: ['127.0.0.1/32'], timeoutMs: 5_000 };
  return mcpTransportSchema.parse({ transport: 'http', url: `${origin}${path}`, egress: egressPolicy });
}

function targetOf(connection: McpTarget['connection'], name: string, definitionDigest: string): McpTarget {
  const target = {
    kind: 'mcp',
    server: 'upstream',
    name,
    connection,
    definitionDigest,
    pinnedDigest: definitionDigest,
  };
  return mcpTargetSchema.parse(target);
}

function toolRequest(more: Partial<ToolRequest> = {}): ToolRequest {
  const guard = createSendGuard(performance.now() + 20_000, {
    monotonicMs: () => performance.now(),
    blockedBy: () => undefined,
  });
  return {
    identity: { ...caller, call: 'call_1' },
    tool: 'a_tool',
    guard,
    lease: undefined,
    signal: never,
    ...more,
  };
}

async function digestOfTool(connection: McpTarget['connection'], name: string): Promise<string> {
  const offered = await discoverTools(connection, { egress, servers, signal: never });
  const found = offered.find((tool) => tool.name === name);
  if (found === undefined) throw new TypeError(`The server has no tool ${name}.`);
  return found.definitionDigest;
}

function textOf(effect: Awaited<ReturnType<typeof performMcp>>): string {
  if (effect.outcome === 'unknown' || effect.body === undefined)
    throw new TypeError('The effect has no body.');
  return Buffer.from(effect.body.bytes).toString('utf8');
}

describe('a local MCP server', () => {
  test('[P-mcp-pinned] is not called when its definition is not the one that was applied', async () => {
    const target = targetOf(filesystem(), 'write_file', sha256('another definition'));
    const args = { path: join(folder, 'written.txt'), content: 'x' };
    const asked = toolRequest();
    const attempt = performMcp({ target, credentials: [], args }, asked, pool);
    await expect(attempt).rejects.toMatchObject({ code: 'upstream_changed' });
    expect(asked.guard.mayHaveSent).toBe(false);
  });

  test('is not called once the claim ran out', async () => {
    const target = targetOf(
      filesystem(),
      'read_text_file',
      await digestOfTool(filesystem(), 'read_text_file'),
    );
    const guard = createSendGuard(0, { monotonicMs: () => 1, blockedBy: () => undefined });
    const args = { path: join(folder, 'note.txt') };
    const attempt = performMcp({ target, credentials: [], args }, toolRequest({ guard }), pool);
    await expect(attempt).rejects.toMatchObject({ code: 'egress_expired' });
  });

  test('fails a call it cannot carry out, and says why', async () => {
    const target = targetOf(
      filesystem(),
      'read_text_file',
      await digestOfTool(filesystem(), 'read_text_file'),
    );
    const effect = await performMcp(
      { target, credentials: [], args: { path: '/etc/passwd' } },
      toolRequest(),
      pool,
    );
    expect(effect.outcome).toBe('failed');
    expect(textOf(effect)).toContain('denied');
  });

  test('carries out a call on a real file', async () => {
    const target = targetOf(
      filesystem(),
      'read_text_file',
      await digestOfTool(filesystem(), 'read_text_file'),
    );
    const args = { path: join(folder, 'note.txt') };
    const effect = await performMcp({ target, credentials: [], args }, toolRequest(), pool);
    expect(effect.outcome).toBe('succeeded');
    expect(JSON.parse(textOf(effect)).content[0]).toEqual({ type: 'text', text: 'hello from a real file' });
  });

  test('that cannot be started fails the call before anything is sent', async () => {
    const connection = mcpTransportSchema.parse({ transport: 'stdio', command: join(folder, 'nothing') });
    await list(filesystem(), connection);
    const asked = toolRequest();
    const attempt = performMcp(
      { target: targetOf(connection, 'x', sha256('x')), credentials: [], args: {} },
      asked,
      pool,
    );
    await expect(attempt).rejects.toMatchObject({ code: 'upstream_failed' });
    expect(asked.guard.mayHaveSent).toBe(false);
  });
});

describe('the processes of local MCP servers', () => {
  const memory = (more: object = {}) => {
    const args = [join(import.meta.dirname, 'local-server.fixture.ts')];
    const mounts = [{ path: MODULES }, { path: import.meta.dirname }];
    return mcpTransportSchema.parse({ transport: 'stdio', command: process.execPath, args, mounts, ...more });
  };
  const remember = async (
    connection: McpTarget['connection'],
    text: string,
    who: { tenant?: string; user?: string },
  ) => {
    const target = targetOf(connection, 'remember', await digestOfTool(connection, 'remember'));
    const identity = { ...caller, call: 'call_1', ...who };
    const effect = await performMcp(
      { target, credentials: [], args: { text } },
      toolRequest({ identity }),
      pool,
    );
    return JSON.parse(textOf(effect)).structuredContent;
  };

  test('[P-mcp-listed] are started only for a server that the operator listed, as it is listed', async () => {
    await list(memory());
    for (const other of [
      memory({ env: { A: '1' } }),
      memory({ network: 'host' }),
      memory({ args: ['-e', '1'] }),
    ]) {
      const asked = toolRequest();
      const attempt = performMcp(
        { target: targetOf(other, 'remember', sha256('x')), credentials: [], args: {} },
        asked,
        pool,
      );
      await expect(attempt).rejects.toMatchObject({ code: 'command_unlisted' });
      expect(asked.guard.mayHaveSent).toBe(false);
    }
  });

  test('[P-mcp-own-process] are one for each user of a tenant, so that no user meets what another left', async () => {
    await list(memory());
    expect(await remember(memory(), 'of ada', { user: 'ada' })).toMatchObject({ before: [] });
    expect(await remember(memory(), 'of bea', { user: 'bea' })).toMatchObject({ before: [] });
    expect(await remember(memory(), 'of ada elsewhere', { user: 'ada', tenant: 'other' })).toMatchObject({
      before: [],
    });
    expect(await remember(memory(), 'again', { user: 'ada' })).toMatchObject({ before: ['of ada'] });
  });

  test('are shared where the tool file says so', async () => {
    const shared = memory({ shared: true });
    await list(shared);
    await remember(shared, 'of ada', { user: 'ada' });
    expect(await remember(shared, 'of bea', { user: 'bea' })).toMatchObject({ before: ['of ada'] });
  });

  test('end when nobody has used them for a while', async () => {
    await list(memory());
    await remember(memory(), 'first', { user: 'cleo' });
    nowMs += 600_000;
    pool.endIdle();
    expect(await remember(memory(), 'second', { user: 'cleo' })).toMatchObject({ before: [] });
  });

  test('[P-mcp-sandbox] start in an empty folder of their own, with the declared environment alone', async () => {
    const connection = memory({ env: { COLOUR: 'blue' } });
    await list(connection);
    const { cwd, files, env } = await remember(connection, 'x', {});
    expect(files).toEqual([]);
    expect(cwd).not.toBe(process.cwd());
    expect(Object.keys(env).sort()).toEqual(['COLOUR', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
    expect(env).toMatchObject({ COLOUR: 'blue', HOME: cwd });
  });

  test('that end at the question for the newer protocol are asked for the older one', async () => {
    const connection = memory({ env: { END_AT_DISCOVER: '1' } });
    await list(connection);
    expect(await remember(connection, 'x', {})).toMatchObject({ before: [] });
  });
});

describe('an MCP server over HTTP', () => {
  const lease = () => ({
    credentials: [{ value: new Secret(TOKEN), inject: { as: 'bearer' } as const }],
    origin: `http://127.0.0.1:${upstream.port}`,
  });
  const call = (target: McpTarget, more: Partial<ToolRequest> = {}) =>
    performMcp(
      { target, credentials: ['blog'], args: { text: 'hi' } },
      toolRequest({ lease: lease(), ...more }),
      pool,
    );
  const applied = async (name: string) => targetOf(remote(), name, await digestOfTool(remote(), name));

  test('does not get a credential that was leased for another origin', async () => {
    const elsewhere = { ...lease(), origin: 'https://api.example.com' };
    const asked = toolRequest({ lease: elsewhere });
    const target = await applied('echo');
    const before = upstream.calls.length;
    const attempt = performMcp({ target, credentials: ['other'], args: { text: 'hi' } }, asked, pool);
    await expect(attempt).rejects.toMatchObject({ code: 'lease_refused' });
    expect(asked.guard.mayHaveSent).toBe(false);
    expect(upstream.calls.length).toBe(before);
  });

  test('is not called once the claim ran out', async () => {
    const guard = createSendGuard(0, { monotonicMs: () => 1, blockedBy: () => undefined });
    const before = upstream.calls.length;
    await expect(call(await applied('echo'), { guard })).rejects.toMatchObject({ code: 'egress_expired' });
    expect(upstream.calls.length).toBe(before);
  });

  test('that refuses the credential fails the call with its status', async () => {
    const value = new Secret('tok-of-somebody-else');
    const wrong = { ...lease(), credentials: [{ value, inject: { as: 'bearer' } as const }] };
    const effect = await call(await applied('echo'), { lease: wrong });
    expect(effect).toEqual({ outcome: 'failed', code: 'upstream_failed', upstreamStatus: 401 });
  });

  test('gets the credential and a signed identity, and its echo of the credential is redacted', async () => {
    const effect = await call(await applied('echo'));
    expect(effect).toMatchObject({ outcome: 'succeeded', body: { redactions: 1 } });
    expect(textOf(effect)).not.toContain(TOKEN);
    expect(JSON.parse(textOf(effect)).content).toEqual([{ type: 'text', text: 'hi [secret]' }]);
    const headers = upstream.calls.at(-1) ?? {};
    expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(headers).toMatchObject({
      'interlock-agent': caller.agent,
      'interlock-user': caller.user,
      'interlock-call': 'call_1',
    });
    expect(headers).toMatchObject({ signature: expect.stringMatching(/^interlock=:/) });
  });

  test('that says a call failed fails it', async () => {
    const effect = await call(await applied('fail'));
    expect(effect.outcome).toBe('failed');
    expect(textOf(effect)).toContain('it did not work');
  });

  test('[P-mcp-in-the-world] that lost its sessions gets the call in a new one: its refusal says that nothing was done', async () => {
    const target = await applied('echo');
    await call(target);
    upstream.forget();
    const before = upstream.calls.length;
    expect(await call(target)).toMatchObject({ outcome: 'succeeded' });
    // The one that was refused, and the one that was carried out.
    expect(upstream.calls.length).toBe(before + 2);
    expect(await call(target)).toMatchObject({ outcome: 'succeeded' });
    expect(upstream.calls.length).toBe(before + 3);
  });

  test('[P-mcp-in-the-world] that loses every session gets the call twice, and the call fails: nothing was done', async () => {
    const target = await applied('echo');
    const asked = toolRequest({ lease: lease() });
    const before = upstream.calls.length;
    upstream.loseSessions(true);
    await expect(
      performMcp({ target, credentials: ['blog'], args: { text: 'hi' } }, asked, pool),
    ).rejects.toMatchObject({ code: 'upstream_failed' });
    upstream.loseSessions(false);
    expect(upstream.calls.length).toBe(before + 2);
    expect(asked.guard.mayHaveSent).toBe(false);
  });

  test('[P-mcp-pinned] that describes a tool differently is not called any more', async () => {
    const target = await applied('echo');
    await call(target);
    upstream.describe('Sends everything to somebody else.');
    upstream.forget();
    const before = upstream.calls.length;
    await expect(call(target)).rejects.toMatchObject({ code: 'upstream_changed' });
    // In the session that it forgot it refused the call; in the new one it did not get it.
    expect(upstream.calls.length).toBe(before + 1);
  });
});
