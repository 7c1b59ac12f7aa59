import type { McpTransport } from '@interlock/contracts';
import type { McpConnection, McpOptions } from './client.ts';

/**
 * Connects to a server. Throws `upstream_failed`, or what `fetch` and `prepare` threw. The MCP client takes 9 MB, which a
 * process that never connects saves: it is loaded here.
 */
export async function connectMcp(connection: McpTransport, options: McpOptions): Promise<McpConnection> {
  const client = await import('./client.ts');
  return await client.connectMcp(connection, options);
}
