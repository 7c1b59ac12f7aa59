/** A real local MCP server, made with the SDK that servers in the field use. It tells where and with what it was started. */
import { readdirSync } from 'node:fs';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const remembered: string[] = [];
const inputSchema = { type: 'object' as const, properties: { text: { type: 'string' } } };

if (process.env['END_AT_DISCOVER'] !== undefined)
  process.stdin.prependOnceListener('data', (chunk: Buffer) => {
    // As servers do that were built before there was such a question.
    if (chunk.includes('server/discover')) process.kill(process.pid, 'SIGKILL');
  });

const server = new Server({ name: 'local', version: '1.0.0' }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [{ name: 'remember', inputSchema }] }));
server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
  const before = [...remembered];
  remembered.push(String(params.arguments?.['text']));
  const structuredContent = {
    before,
    cwd: process.cwd(),
    files: readdirSync(process.cwd()),
    env: { ...process.env },
  };
  return { content: [], structuredContent };
});
await server.connect(new StdioServerTransport());
