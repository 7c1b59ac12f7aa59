/**
 * The tools of a configuration. An MCP server describes its tools itself, so it is asked: by this command, in the sandbox
 * and through egress, without a credential. No running service takes part: docs/decisions/035.
 */
import { readFile } from 'node:fs/promises';
import { Fault, type HttpToolFile, idSchema, type McpServer, type Tool } from '@interlock/contracts';
import { createEgress } from '@interlock/egress';
import { type DiscoveredTool, discoverTools } from '@interlock/mcp';
import { type Finding, meantText } from '@interlock/policy-analysis';
import { LocalServers } from '@interlock/sandbox';
import { type Environment, Failure, failureOf } from '@interlock/shell';
import { ConfigurationFailure, type LoadedConfiguration } from './load-configuration.ts';
import type { ConfigurationIssue } from './yaml-file.ts';

/** Where servers are started and reached from. */
export interface Asking {
  /** The data folder, which no server may see. */
  data: string;
  /** PATH, LANG, `INTERLOCK_BWRAP_BIN` and `INTERLOCK_EGRESS_CA_FILE`. */
  env: Environment;
  report: (line: string) => void;
  signal: AbortSignal;
}

export interface ResolvedTools {
  tools: Tool[];
  /** What shows only beside the schemas of MCP tools, and can only refuse calls. */
  warnings: ConfigurationIssue[];
}

type Where = Pick<Finding, 'path' | 'isKey' | 'text'>;

/**
 * Asks the MCP servers of a configuration and returns its tools, those of a server pinned to their present definitions.
 * Throws `ConfigurationFailure` for what a server does not offer and for arguments that its tools do not have, and what
 * asking a server throws.
 */
export async function resolveTools(loaded: LoadedConfiguration, asking: Asking): Promise<ResolvedTools> {
  const offered = await askServers(loaded, asking);
  const refused: ConfigurationIssue[] = [];
  const tools = loaded.tools.flatMap((file, index) => {
    if (!('mcp' in file)) return [httpTool(file)];
    const pinned = pinnedTools(file.mcp, offered.get(index) ?? []);
    refused.push(...pinned.mistakes.map((mistake) => loaded.toolIssue(index, mistake)));
    return pinned.tools;
  });
  const schemas = tools
    .filter(({ target }) => target.kind === 'mcp')
    .map(({ name, inputSchema }) => [name, inputSchema] as const);
  const further = loaded.checkWith(new Map(schemas));
  refused.push(...further.refused);
  if (refused.length > 0) throw new ConfigurationFailure(refused);
  const known = new Set(
    loaded.warnings.map(({ file, pointer, expected }) => `${file} ${pointer} ${expected}`),
  );
  const isNew = ({ file, pointer, expected }: ConfigurationIssue) =>
    !known.has(`${file} ${pointer} ${expected}`);
  return { tools, warnings: further.warnings.filter(isNew) };
}

/** Returns what each server offers, by the index of its file. */
async function askServers(
  loaded: LoadedConfiguration,
  { data, env, report, signal }: Asking,
): Promise<ReadonlyMap<number, DiscoveredTool[]>> {
  const offered = new Map<number, DiscoveredTool[]>();
  if (!loaded.tools.some((file) => 'mcp' in file)) return offered;
  await using egress = createEgress({ ca: await certificatesOf(env) });
  await using servers = await LocalServers.open({ env, forbidden: [data], report });
  for (const [index, file] of loaded.tools.entries()) {
    if (!('mcp' in file)) continue;
    const { server, connection } = file.mcp;
    try {
      offered.set(index, await discoverTools(connection, { egress, servers, signal }));
    } catch (error) {
      signal.throwIfAborted();
      throw unanswered(
        server,
        loaded.toolIssue(index, { path: ['mcp', 'connection'], isKey: true, text: '' }),
        error,
      );
    }
  }
  return offered;
}

function unanswered(server: string, { file, line }: ConfigurationIssue, cause: unknown): Failure {
  const { code, detail } = failureOf(cause);
  return new Failure(code, `${file}:${line}: the MCP server ${server} was asked for its tools. ${detail}`, {
    next: 'See that the server runs, or starts as its tool file says, and repeat the command. Nothing of the configuration was applied.',
    cause,
  });
}

async function certificatesOf({ INTERLOCK_EGRESS_CA_FILE: file }: Environment): Promise<string[]> {
  if (file === undefined) return [];
  try {
    return [await readFile(file, 'utf8')];
  } catch (cause) {
    throw new Fault('configuration_invalid', { detail: 'INTERLOCK_EGRESS_CA_FILE cannot be read.', cause });
  }
}

/** Returns the tool an HTTP tool file describes. */
function httpTool({ http, $schema: _schema, ...tool }: HttpToolFile): Tool {
  return { ...tool, target: { kind: 'http', ...http } };
}

/** Returns the listed tools of a server, each pinned to its present definition, and what is wrong with the others. */
export function pinnedTools(
  server: McpServer,
  offered: readonly DiscoveredTool[],
): { tools: Tool[]; mistakes: Where[] } {
  const mistakes: Where[] = [];
  const tools = Object.entries(server.tools).flatMap(([upstreamName, use]) => {
    const mistake = (text: string) =>
      mistakes.push({ path: ['mcp', 'tools', upstreamName], isKey: true, text });
    const definition = offered.find(({ name }) => name === upstreamName);
    if (definition === undefined) {
      // A server's own words are shown only where they are a name.
      const names = offered.map(({ name }) => name).filter((name) => idSchema.safeParse(name).success);
      mistake(
        `the MCP server ${server.server} offers no tool ${upstreamName}${meantText(upstreamName, names)}`,
      );
      return [];
    }
    const name = idSchema.safeParse(`${server.prefix}${upstreamName}`);
    if (!name.success) {
      mistake(`the tool's name ${name.error.issues[0]?.message ?? 'is not valid'}`);
      return [];
    }
    return [toolOf(server, { name: name.data, use, definition })];
  });
  return { tools, mistakes };
}

interface PinnedTool {
  name: string;
  use: McpServer['tools'][string];
  definition: DiscoveredTool;
}

function toolOf(
  { server, connection, timeoutMs, credential }: McpServer,
  { name, use, definition }: PinnedTool,
): Tool {
  const { name: upstreamName, title, description, inputSchema, definitionDigest } = definition;
  return {
    ...use,
    name,
    ...(title === undefined ? {} : { title }),
    ...{ description, inputSchema },
    target: {
      kind: 'mcp',
      ...{ server, name: upstreamName, connection, definitionDigest, timeoutMs },
      // docs/decisions/029
      pinnedDigest: definitionDigest,
    },
    credential,
  };
}
