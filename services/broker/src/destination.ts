import { Fault, type Tool } from '@interlock/contracts';
import { readArguments } from '@interlock/gate';
import { originOf } from '@interlock/request';

/**
 * Returns the one origin to which a call of a tool may send its credential.
 * Throws `lease_refused` for a tool that has no destination, and what `readArguments` and `originOf` throw.
 */
export function destinationOf(tool: Tool, argumentsText: string): string {
  const { target } = tool;
  switch (target.kind) {
    case 'http':
      return originOf({ ...tool, target }, readArguments(argumentsText));
    case 'mcp':
      if (target.connection.transport === 'stdio')
        throw new Fault('lease_refused', {
          detail: 'A local MCP server has no origin to send a credential to.',
        });
      return new URL(target.connection.url).origin;
    default:
      return target satisfies never;
  }
}
