import {
  Fault,
  type HttpToolFile,
  idSchema,
  type McpServer,
  pointerOf,
  type RpcReply,
  type Tool,
  type ToolFile,
} from '@interlock/contracts';

type Discovered = RpcReply<'executor.discover'>['tools'];

/**
 * Returns the tools that the files of a configuration name, with the present definitions of their MCP servers.
 * Throws `configuration_invalid` with the pointer of a tool that a server does not offer, or of a name that is used twice.
 */
export async function resolveTools(
  files: readonly ToolFile[],
  discover: (connection: McpServer['connection']) => Promise<Discovered>,
): Promise<Tool[]> {
  const tools = new Map<string, Tool>();
  for (const [index, file] of files.entries()) {
    const pointer = `/tools/${index}`;
    const named =
      'mcp' in file ? pinnedTools(file.mcp, await discover(file.mcp.connection), pointer) : [httpTool(file)];
    for (const tool of named) {
      if (tools.has(tool.name)) throw invalid(`Two tools have the name ${tool.name}.`, pointer);
      tools.set(tool.name, tool);
    }
  }
  return [...tools.values()];
}

/** Returns the tool an HTTP tool file describes. */
function httpTool({ http, $schema: _schema, ...tool }: HttpToolFile): Tool {
  return { ...tool, target: { kind: 'http', ...http } };
}

/** Returns the listed tools of a server, each pinned to its present definition. */
export function pinnedTools(server: McpServer, discovered: Discovered, pointer: string): Tool[] {
  return Object.entries(server.tools).map(([upstreamName, use]) => {
    const at = `${pointer}${pointerOf(['mcp', 'tools', upstreamName])}`;
    const definition = discovered.find(({ name }) => name === upstreamName);
    if (definition === undefined)
      throw invalid(
        `The MCP server ${server.server} does not offer a tool with the name ${upstreamName}.`,
        at,
      );
    const name = idSchema.safeParse(`${server.prefix}${upstreamName}`);
    if (!name.success) throw invalid(`A tool's name ${name.error.issues[0]?.message ?? 'is not valid'}.`, at);
    return {
      ...use,
      name: name.data,
      ...(definition.title === undefined ? {} : { title: definition.title }),
      description: definition.description,
      inputSchema: definition.inputSchema,
      target: {
        kind: 'mcp',
        server: server.server,
        name: upstreamName,
        connection: server.connection,
        definitionDigest: definition.definitionDigest,
        // docs/decisions/029
        pinnedDigest: definition.definitionDigest,
        timeoutMs: server.timeoutMs,
      },
      credential: server.credential,
    };
  });
}

function invalid(detail: string, pointer: string): Fault {
  return new Fault('configuration_invalid', { detail, pointer });
}
