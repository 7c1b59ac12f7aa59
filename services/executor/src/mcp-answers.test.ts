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
const OVER_HTTP = ['json', 'events', 'open', 'resumed', 'moved', 'plain', 'odd', 'refused'];
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
  for (const kind of OVER_HTTP)
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

async function say(kind: string, result: string, error?: string) {
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
    { target, credentials: [], args: error === undefined ? { result } : { error } },
    { identity, tool: 'say', guard, lease: undefined, signal: never },
    pool,
  );
  if (effect.outcome === 'unknown' || effect.body === undefined) return { outcome: effect.outcome };
  const { upstreamStatus, upstreamHeaders } = effect;
  if (upstreamStatus !== undefined)
    return {
      outcome: effect.outcome,
      text: Buffer.from(effect.body.bytes).toString('utf8'),
      upstreamStatus,
      upstreamHeaders,
    };
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
  for (const kind of ['json', 'events', 'open', 'stdio']) {
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

const ANSWER = '{"content":[{"type":"text","text":"hi"}],"_meta":{"n":12345678901234567890}}';

test.each([
  ['in a stream that is left open', 'open'],
  ['in a stream that was ended before the answer and is asked for again', 'resumed'],
  ['after a redirect within the origin', 'moved'],
  ['as plain text', 'plain'],
  ['beside tools and a handshake that are not by the book', 'odd'],
])('[P-mcp-in-the-world] an answer %s is the answer, with its `_meta`', async (_title, kind) => {
  expect(await say(kind, ANSWER)).toEqual({ outcome: 'succeeded', text: ANSWER });
});

test.each([
  ['{"code":-32602,"message":"Missing field title"}'],
  ['{"code":"E_FAIL","message":"string code"}'],
  ['"plain text error"'],
])(
  '[P-mcp-in-the-world] an error of a server is returned as it is, whatever status it comes with: %s',
  async (error) => {
    const text = `{"error":${error}}`;
    for (const kind of ['json', 'open', 'stdio'])
      expect(await say(kind, '', error)).toEqual({ outcome: 'failed', text });
    expect(await say('refused', '', error)).toEqual({
      ...{ outcome: 'failed', text, upstreamStatus: 400 },
      upstreamHeaders: { 'retry-after': '7' },
    });
  },
);

test('[P-one-odd-tool] one odd tool hides only itself: each that has a name is offered', async () => {
  const connection = connections['odd'];
  if (connection === undefined) throw new TypeError('The server is not there.');
  const offered = await discoverTools(connection, discovering);
  expect(offered.map(({ name }) => name)).toEqual(['bare', 'choice', 'nulls', 'output', 'say']);
  for (const { inputSchema } of offered) expect(inputSchema).toMatchObject({ type: 'object' });
});
