/** A real MCP server over streamable HTTP, made with the SDK that servers in the field use. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

export interface McpUpstream extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Headers of each `tools/call` that arrived. */
  readonly calls: readonly IncomingHttpHeaders[];
  /** Drops every session, as a server does that was restarted. */
  forget(): void;
  /** Says from now on of every session in which a tool is called that it is lost, in a 400 as some servers do. */
  loseSessions(lose: boolean): void;
  /** Describes its tools differently from now on, to new sessions. */
  describe(text: string): void;
}

/** Starts a server with the tools `echo` and `fail`; it refuses calls without the bearer token, and echoes it back. */
export async function startMcpUpstream(token: string): Promise<McpUpstream> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const calls: IncomingHttpHeaders[] = [];
  let description = 'Says it again.';
  let isForgetful = false;
  const http = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const message = z
      .object({ method: z.string().optional() })
      .parse(JSON.parse(Buffer.concat(chunks).toString()));
    const isCall = message.method === 'tools/call';
    if (isCall) calls.push(request.headers);
    if (isCall && request.headers.authorization !== `Bearer ${token}`)
      return void response.writeHead(401).end('no');
    if (isCall && isForgetful) return void response.writeHead(400).end('Bad Request: no such session');
    const session = request.headers['mcp-session-id'];
    const known = typeof session === 'string' ? sessions.get(session) : undefined;
    if (known === undefined && message.method !== 'initialize') return void response.writeHead(404).end();
    const transport = known ?? (await open(sessions, description, token));
    await transport.handleRequest(request, response, JSON.parse(Buffer.concat(chunks).toString()));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const address = http.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port.');
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    port: address.port,
    calls,
    forget: () => sessions.clear(),
    loseSessions: (lose) => {
      isForgetful = lose;
    },
    describe: (text) => {
      description = text;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}

async function open(
  sessions: Map<string, StreamableHTTPServerTransport>,
  description: string,
  token: string,
): Promise<StreamableHTTPServerTransport> {
  const server = new McpServer({ name: 'upstream', version: '1.0.0' });
  const inputSchema = { text: z.string() };
  server.registerTool('echo', { description, inputSchema }, ({ text }) => ({
    content: [{ type: 'text', text: `${text} ${token}` }],
  }));
  server.registerTool('fail', { description, inputSchema }, () => ({
    content: [{ type: 'text', text: 'it did not work' }],
    isError: true,
  }));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => {
      sessions.set(id, transport);
    },
  });
  await server.connect(transport as Parameters<typeof server.connect>[0]);
  return transport;
}
