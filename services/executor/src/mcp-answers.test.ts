import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mcpTargetSchema, mcpTransportSchema } from '@interlock/contracts';
import { createEgress } from '@interlock/egress';
import { type Discovering, discoverTools } from '@interlock/mcp';
import { commandListOf, LocalServers } from '@interlock/sandbox';
import { processEnvironment } from '@interlock/shell';
import { caller } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { performMcp } from './mcp-perform.ts';
import { McpPool, type McpTarget } from './mcp-pool.ts';
import { createSendGuard } from './send-guard.ts';
import { startVerbatim } from './verbatim-server.fixture.ts';

const MODULES = join(import.meta.dirname, '../../../node_modules');
const DEEP = 50_000;
const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
let pool: McpPool;
let discovering: Discovering;
const connections: Record<string, McpTarget['connection']> = {};

beforeAll(async () => {
  const own = await mkdtemp(join(tmpdir(), 'interlock-answers-'));
  stack.defer(() => rm(own, { recursive: true }));
  const server = stack.use(await startVerbatim());
  const env = processEnvironment();
  const servers = stack.use(await LocalServers.open({ env, forbidden: [own], report: () => undefined }));
  const egress = stack.use(createEgress());
  discovering = { egress, servers, signal: never };
  const { privateKey } = generateKeyPairSync('ed25519');
  pool = stack.use(
    new McpPool({
      egress,
      signingKey: { keyId: 'sig_1', privateKey },
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      servers,
      commandsFile: join(own, 'commands.json'),
    }),
  );
  const policy = { allow: [server.origin], allowPrivate: ['127.0.0.1/32'] };
  for (const kind of ['json', 'events'])
    connections[kind] = mcpTransportSchema.parse({
      transport: 'http',
      url: `${server.origin}/${kind}`,
      egress: policy,
    });
  const local = mcpTransportSchema.parse({
    transport: 'stdio',
    command: process.execPath,
    args: [join(import.meta.dirname, 'verbatim-server.fixture.ts')],
    mounts: [{ path: MODULES }, { path: import.meta.dirname }],
  });
  if (local.transport !== 'stdio') throw new TypeError('The server is a local one.');
  connections['stdio'] = local;
  await writeFile(join(own, 'commands.json'), JSON.stringify(commandListOf([local])));
});
afterAll(() => stack.disposeAsync());

async function say(kind: string, result: string) {
  const connection = connections[kind];
  const offered = connection === undefined ? [] : await discoverTools(connection, discovering);
  const definition = offered.find(({ name }) => name === 'say');
  if (definition === undefined) throw new TypeError('The server has no such tool.');
  const { definitionDigest } = definition;
  const target = mcpTargetSchema.parse({
    ...{ kind: 'mcp', server: 'verbatim', name: 'say', connection },
    ...{ definitionDigest, pinnedDigest: definitionDigest },
  });
  const guard = createSendGuard(600_000, {
    monotonicMs: () => 0,
    blockedBy: () => undefined,
  });
  const identity = { ...caller, call: 'call_1' };
  const effect = await performMcp(
    { target, credentials: [], args: { result } },
    { identity, tool: 'say', guard, lease: undefined, signal: never },
    pool,
  );
  if (effect.outcome === 'unknown' || effect.body === undefined) return { outcome: effect.outcome };
  return { outcome: effect.outcome, text: Buffer.from(effect.body.bytes).toString('utf8') };
}

describe('[P-result-as-said] what an MCP server answers over', () => {
  const nested = `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`;
  const answers: readonly (readonly [what: string, result: string])[] = [
    [
      'numbers that no double holds',
      '{"content":[{"type":"text","text":"{\\"id\\":9007199254740993}"}],"structuredContent":{"id":9007199254740993,"rate":0.1234567890123456789,"e":1e400,"price":1.50}}',
    ],
    ['two members of one name', '{"content":[],"structuredContent":{"a":1,"a":2}}'],
    ['a list in the place of an object', '{"content":[],"structuredContent":[1,2]}'],
    [
      'content of a kind that nobody knows',
      '{"content":[{"type":"video","data":"AAAA","mimeType":"video/mp4"}]}',
    ],
    ['members that are null', '{"content":[{"type":"text","text":"hi","annotations":null,"_meta":null}]}'],
    [
      'annotations of another shape',
      '{"content":[{"type":"text","text":"hi","annotations":{"audience":["system"]}}]}',
    ],
    ['nesting without end', `{"content":[],"structuredContent":{"a":${nested}}}`],
    ['brackets and quotes in texts', '{"content":[{"type":"text","text":"}]\\\\\\",\\u0022{[:"}]}'],
    ['something from before there was content', '{"toolResult":{"id":12345678901234567890}}'],
  ];
  for (const kind of ['json', 'events', 'stdio']) {
    test.each(answers)(`${kind} is returned as it was written: %s`, async (_what, result) => {
      expect(await say(kind, result)).toEqual({ outcome: 'succeeded', text: result });
    });

    test(`${kind} is a failure where it says so, and only there`, async () => {
      expect(await say(kind, '{"content":[],"isError":true}')).toEqual({
        outcome: 'failed',
        text: '{"content":[]}',
      });
      expect(await say(kind, '{"isError":null,"_meta":null, "content" : [ ] }')).toEqual({
        outcome: 'succeeded',
        text: '{"content":[ ]}',
      });
    });
  }
});
