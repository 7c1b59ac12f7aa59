/** What `up` and `doctor` say about the programs that Interlock starts for tools. */
import type { Check, LoadedConfiguration } from '@interlock/cli';
import { findSandbox } from '@interlock/sandbox';
import type { Environment } from '@interlock/shell';

/** Says what local MCP servers are kept apart by. Without a sandbox that is a fact to know, and nothing is broken. */
export async function checkSandbox(env: Environment): Promise<Check> {
  const sandbox = await findSandbox(env);
  const found =
    sandbox.kind === 'bubblewrap'
      ? `each runs in a sandbox (${sandbox.program})`
      : `none runs in a sandbox: such a server can do what you can, so trust it like yourself (${sandbox.why})`;
  return { check: 'local MCP servers', ok: true, found };
}

/** Says the same at the start of an installation that has such servers. */
export async function reportSandbox(
  { tools }: Pick<LoadedConfiguration, 'tools'>,
  env: Environment,
  report: (line: string) => void,
): Promise<void> {
  if (!tools.some((tool) => 'mcp' in tool && tool.mcp.connection.transport === 'stdio')) return;
  const { check, found } = await checkSandbox(env);
  report(`${check}: ${found}`);
}
