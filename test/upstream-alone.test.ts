/** One upstream never decides over the others. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { eventually, freePort } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { runCommand } from './command.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 120_000;
const TEST_MS = 120_000;
const ANSWERED_MS = 60_000;

let line: Line;
beforeAll(async () => {
  line = await startLine();
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

test(
  '[P-upstream-alone] a server that is down stops no apply and no other tool, its calls say why, and its tools work by themselves once it answers',
  async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const egress = { allow: [origin], allowPrivate: ['127.0.0.1/32'] };
    const mcp = {
      server: 'reports',
      connection: { transport: 'http', url: `${origin}/mcp`, egress },
      tools: { count: { labels: ['reads-private'] } },
    };
    await writeFile(path.join(line.config, 'tools/reports.yaml'), JSON.stringify({ mcp }));
    await writeFile(
      path.join(line.config, 'policies/data.yaml'),
      JSON.stringify({ config: { allow_listed: [{ tenants: ['acme'], tools: ['read', 'count'] }] } }),
    );
    expect(await runCommand(line, 'apply', '--yes')).toMatchObject({
      code: 0,
      result: { created: expect.arrayContaining(['tool/count']) },
    });
    expect(await line.call('read', { id: 1 })).toMatchObject({ status: 200 });
    const refused = await line.call('count', { of: 'x' }, { idempotencyKey: 'later' });
    expect(refused).toMatchObject({ status: 503, body: { code: 'tool_unavailable' } });
    expect(JSON.stringify(refused.body)).toMatch(/MCP server reports \(http.*could not be asked/);
    expect((await line.agent('helper').get('/v1/tools')).body).not.toMatchObject({
      tools: expect.arrayContaining([expect.objectContaining({ name: 'count' })]),
    });
    expect(await runCommand(line, 'tools')).toMatchObject({
      result: {
        tools: expect.arrayContaining([
          expect.objectContaining({
            name: 'count',
            unavailable: { reason: expect.stringContaining('reports') },
          }),
        ]),
      },
    });

    await using _server = await startReports(port);
    await eventually(async () => {
      const { body } = await line.person('alice').get('/v1/tools');
      return !JSON.stringify(body).includes('"unavailable"');
    }, ANSWERED_MS);
    expect(await line.call('count', { of: 'x' }, { idempotencyKey: 'later' })).toMatchObject({
      body: { outcome: 'succeeded', result: { content: [{ type: 'text', text: '7' }] } },
    });
  },
  TEST_MS,
);

const messageSchema = z.object({ id: z.unknown().optional(), method: z.string() });

/** A server of few words: it speaks what a client asks before it calls. */
async function startReports(port: number): Promise<AsyncDisposable> {
  const http = createServer(async (request, response) => {
    const { id, method } = messageSchema.parse(JSON.parse(await text(request)));
    const answer = answers[method];
    if (id === undefined) return void response.writeHead(202).end();
    const message = answer === undefined ? { error: { code: -32_601, message: 'no' } } : { result: answer };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message }));
  });
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}

const answers: Readonly<Record<string, object>> = {
  initialize: {
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'reports', version: '1.0.0' },
  },
  'tools/list': {
    tools: [{ name: 'count', inputSchema: { type: 'object', properties: { of: { type: 'string' } } } }],
  },
  'tools/call': { content: [{ type: 'text', text: '7' }] },
};
