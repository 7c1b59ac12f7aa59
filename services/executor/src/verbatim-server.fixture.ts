/**
 * An MCP server that answers each call with the very text that the call names: what no SDK would write. As a program it
 * speaks over its pipes; `startVerbatim` speaks HTTP, with JSON or with a stream of events.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const requestSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string(),
  params: z.object({ arguments: z.object({ result: z.string() }).optional() }).optional(),
});
const TOOL = {
  name: 'say',
  inputSchema: { type: 'object', properties: { result: { type: 'string' } } },
};

/** Starts the server over HTTP: `/events` answers with events, every other path with JSON. */
export async function startVerbatim(): Promise<AsyncDisposable & { origin: string }> {
  const http = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = answerTo(Buffer.concat(chunks).toString());
    if (answer === undefined) return void response.writeHead(202).end();
    const isStream = request.url === '/events';
    response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
    response.end(isStream ? `id: 1\r\nevent: message\r\ndata: ${answer}\r\n\r\n` : answer);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = z.object({ port: z.int() }).parse(http.address());
  return {
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}

function answerTo(text: string): string | undefined {
  const { id, method, params } = requestSchema.parse(JSON.parse(text));
  if (id === undefined) return undefined;
  const answered = (result: string) => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
  switch (method) {
    case 'initialize': {
      const serverInfo = { name: 'verbatim', version: '1.0.0' };
      const capabilities = { tools: {} };
      return answered(JSON.stringify({ protocolVersion: '2025-11-25', capabilities, serverInfo }));
    }
    case 'tools/list':
      return answered(JSON.stringify({ tools: [TOOL] }));
    case 'tools/call':
      return answered(params?.arguments?.result ?? '{}');
    default:
      return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_601, message: 'Method not found' } });
  }
}

if (import.meta.main)
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = answerTo(line);
    if (answer !== undefined) process.stdout.write(`${answer}\n`);
  }
