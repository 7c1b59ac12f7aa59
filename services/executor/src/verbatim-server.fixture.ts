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
  params: z
    .object({
      arguments: z.object({ result: z.string().optional(), error: z.string().optional() }).optional(),
    })
    .optional(),
});
const TOOL = {
  name: 'say',
  inputSchema: { type: 'object', properties: { result: { type: 'string' } } },
};
/** What servers list that is not by the book. The tool `say` beside them is. */
const ODD_TOOLS = [
  { name: 'bare', inputSchema: {} },
  { name: 'choice', inputSchema: { anyOf: [{ type: 'object', required: ['a'] }] } },
  { name: 'nulls', inputSchema: { type: 'object', required: null }, _meta: null, title: null },
  { name: 'output', inputSchema: { type: 'object' }, outputSchema: { anyOf: [{ type: 'null' }] } },
  { inputSchema: { type: 'object' } },
  null,
];

/**
 * Starts the server over HTTP. Its path says how it answers: `/events` with events, `/open` with events and a stream that
 * it never ends, `/resumed` after its stream was asked for again, `/moved` at another path, `/plain` as text, `/refused` calls with
 * an error in a 400, `/odd` with oddities around the calls, and every other with JSON.
 */
export async function startVerbatim(): Promise<AsyncDisposable & { origin: string }> {
  const kept = new Map<string, string>();
  const http = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    if (request.method === 'GET')
      return void response
        .writeHead(200, STREAM)
        .end(`data: ${kept.get(String(request.headers['last-event-id']))}\n\n`);
    const answer = answerTo(text, request.url === '/odd');
    if (answer === undefined) return void response.writeHead(202).end();
    const isCall = text.includes('"tools/call"');
    const event = `id: 1\r\nevent: message\r\ndata: ${answer}\r\n\r\n`;
    switch (request.url) {
      case '/events':
        return void response.writeHead(200, STREAM).end(event);
      case '/open':
        return void response.writeHead(200, STREAM).write(event);
      case '/resumed':
        if (!isCall) return void response.writeHead(200, STREAM).end(event);
        kept.set('ev-7', answer);
        return void response.writeHead(200, STREAM).end('id: ev-7\nretry: 1\ndata:\n\n');
      case '/moved':
        return void response.writeHead(307, { location: '/moved/' }).end();
      case '/plain':
        return void response.writeHead(200, { 'content-type': 'text/plain' }).end(answer);
      case '/refused':
        return void response.writeHead(isCall ? 400 : 200, { ...JSON_TYPE, 'retry-after': '7' }).end(answer);
      default:
        return void response.writeHead(200, JSON_TYPE).end(answer);
    }
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

const STREAM = { 'content-type': 'text/event-stream' };
const JSON_TYPE = { 'content-type': 'application/json' };

function answerTo(text: string, isOdd = false): string | undefined {
  const { id, method, params } = requestSchema.parse(JSON.parse(text));
  if (id === undefined) return undefined;
  const answered = (result: string) => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
  switch (method) {
    case 'initialize': {
      const serverInfo = { name: 'verbatim', ...(isOdd ? {} : { version: '1.0.0' }) };
      const capabilities = { tools: {}, ...(isOdd ? { prompts: null, resources: null } : {}) };
      return answered(JSON.stringify({ protocolVersion: '2025-11-25', capabilities, serverInfo }));
    }
    case 'tools/list':
      return answered(
        JSON.stringify(isOdd ? { tools: [...ODD_TOOLS, TOOL], nextCursor: null } : { tools: [TOOL] }),
      );
    case 'tools/call': {
      const { result = '{}', error } = params?.arguments ?? {};
      return error === undefined
        ? answered(result)
        : `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${error}}`;
    }
    default:
      return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_601, message: 'Method not found' } });
  }
}

if (import.meta.main)
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = answerTo(line);
    if (answer !== undefined) process.stdout.write(`${answer}\n`);
  }
