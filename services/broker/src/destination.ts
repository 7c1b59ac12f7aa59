import { Fault, type Tool } from '@interlock/contracts';
import { buildUrl } from '@interlock/egress';
import { readArguments } from '@interlock/gate';

/**
 * Returns the one origin to which a call of a tool may send its credential.
 * Throws `lease_refused` for a tool that has no destination, and what `readArguments` and `buildUrl` throw.
 */
export function destinationOf(tool: Tool, argumentsText: string): string {
  const { target } = tool;
  switch (target.kind) {
    case 'http':
      return new URL(buildUrl(target.url, readArguments(argumentsText))).origin;
    case 'mcp':
      if (target.connection.transport === 'stdio')
        throw new Fault('lease_refused', {
          detail: 'A local MCP server has no origin to send a credential to.',
        });
      return new URL(buildUrl(target.connection.url, {})).origin;
    default:
      return target satisfies never;
  }
}
