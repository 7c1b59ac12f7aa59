/** One upstream never decides over the others. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { eventually, freePort } from '@interlock/testkit';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
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
    const refused = await line.call('count', { of: 'x' });
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
    expect(await line.call('count', { of: 'x' })).toMatchObject({
      body: { outcome: 'succeeded', result: { content: [{ type: 'text', text: 'x: 7' }] } },
    });
  },
  TEST_MS,
);

async function startReports(port: number): Promise<AsyncDisposable> {
  const http = createServer(async (request, response) => {
    const server = new McpServer({ name: 'reports', version: '1.0.0' });
    const inputSchema = { of: z.string() };
    server.registerTool('count', { description: 'Counts.', inputSchema }, ({ of }) => ({
      content: [{ type: 'text', text: `${of}: 7` }],
    }));
    const transport = new StreamableHTTPServerTransport({});
    await server.connect(transport as Parameters<typeof server.connect>[0]);
    await transport.handleRequest(request, response);
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
