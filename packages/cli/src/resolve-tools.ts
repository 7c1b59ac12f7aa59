/**
 * The tools of a configuration. An MCP server describes its tools itself, so it is asked: by this command, in the sandbox
 * and through egress, without a credential. No running service takes part: docs/decisions/035.
 */
import { readFile } from 'node:fs/promises';
import {
  digestOf,
  Fault,
  type HttpToolFile,
  idSchema,
  type McpServer,
  type McpTransport,
  type Tool,
  unknownDefinition,
} from '@interlock/contracts';
import { createEgress } from '@interlock/egress';
import { type DiscoveredTool, discoverTools } from '@interlock/mcp';
import { type Finding, meantText } from '@interlock/policy-analysis';
import { type CommandList, isListed, LocalServers, readCommandList } from '@interlock/sandbox';
import { type Environment, failureOf } from '@interlock/shell';
import { commandsFile } from './commands-file.ts';
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
  /** How long a server is waited for, where that is less than its file says. */
  limitMs?: number;
}

export interface ResolvedTools {
  tools: Tool[];
  /** What shows only beside the schemas of MCP tools, and can only refuse calls. */
  warnings: ConfigurationIssue[];
}

/** What is said of a server is longer than anybody reads. */
const REASON_LENGTH = 2_000;

type McpTarget = Extract<Tool['target'], { kind: 'mcp' }>;
type Where = Pick<Finding, 'path' | 'isKey' | 'text'>;

/**
 * Asks the MCP servers of a configuration and returns its tools, those of a server pinned to their present definitions. A
 * server that does not answer, or does not offer a tool, makes unavailable what it should have described, and nothing else.
 * Throws `ConfigurationFailure` for arguments that tools do not have and for names that are none.
 */
export async function resolveTools(loaded: LoadedConfiguration, asking: Asking): Promise<ResolvedTools> {
  const asked = await askServers(loaded, asking);
  const refused: ConfigurationIssue[] = [];
  const unavailable: ConfigurationIssue[] = [];
  const tools = loaded.tools.flatMap((file, index) => {
    if (!('mcp' in file)) return [httpTool(file)];
    const answer = asked.get(index) ?? { offered: [] };
    if ('reason' in answer)
      unavailable.push(
        loaded.toolIssue(index, {
          path: ['mcp', 'connection'],
          isKey: true,
          text: `${answer.reason} Until it can be, calls of its tools are refused`,
        }),
      );
    const pinned = pinnedTools(file.mcp, answer);
    refused.push(...pinned.mistakes.map((mistake) => loaded.toolIssue(index, mistake)));
    unavailable.push(...pinned.missing.map((missing) => loaded.toolIssue(index, missing)));
    return pinned.tools;
  });
  const further = loaded.checkWith(schemasOf(tools));
  refused.push(...further.refused);
  if (refused.length > 0) throw new ConfigurationFailure(refused);
  const known = new Set(
    loaded.warnings.map(({ file, pointer, expected }) => `${file} ${pointer} ${expected}`),
  );
  const isNew = ({ file, pointer, expected }: ConfigurationIssue) =>
    !known.has(`${file} ${pointer} ${expected}`);
  return { tools, warnings: [...unavailable, ...further.warnings.filter(isNew)] };
}

/** Returns the schemas of the MCP tools that can be called. */
function schemasOf(tools: readonly Tool[]): ReadonlyMap<string, Tool['inputSchema']> {
  const described = tools.filter(
    ({ target, unavailable }) => target.kind === 'mcp' && unavailable === undefined,
  );
  return new Map(described.map(({ name, inputSchema }) => [name, inputSchema]));
}

/** What a server offers, or why it could not be asked. */
type Asked = { offered: readonly DiscoveredTool[] } | { reason: string };

/** Asks each server, all at once: none waits for another. Returns what each said, by the index of its file. */
async function askServers(loaded: LoadedConfiguration, asking: Asking): Promise<ReadonlyMap<number, Asked>> {
  const servers = loaded.tools.flatMap((file, index) => ('mcp' in file ? [{ index, mcp: file.mcp }] : []));
  if (servers.length === 0) return new Map();
  await using asker = await openAsker(asking);
  const answers = await Promise.all(
    servers.map(async ({ index, mcp }) => [index, await asker.ask(mcp.server, mcp.connection)] as const),
  );
  return new Map(answers);
}

interface Asker extends AsyncDisposable {
  ask(server: string, connection: McpTransport): Promise<Asked>;
}

async function openAsker({ data, env, report, signal, limitMs }: Asking): Promise<Asker> {
  await using stack = new AsyncDisposableStack();
  const egress = stack.use(createEgress({ ca: await certificatesOf(env) }));
  const servers = stack.use(await LocalServers.open({ env, forbidden: [data], report }));
  const parts = { egress, servers, signal, ...(limitMs === undefined ? {} : { limitMs }) };
  const owned = stack.move();
  return {
    ask: async (server, connection) => {
      try {
        return { offered: await discoverTools(connection, parts) };
      } catch (error) {
        signal.throwIfAborted();
        const { detail } = failureOf(error);
        return {
          reason: `The MCP server ${server} (${addressOf(connection)}) could not be asked for its tools. ${detail}`,
        };
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What a person calls the server by. Arguments may be long, and are in the tool file. */
function addressOf(connection: McpTransport): string {
  return connection.transport === 'http' ? connection.url : connection.command;
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

/** Returns the listed tools of a server, each pinned to its present definition or unavailable, and what is wrong with others. */
export function pinnedTools(
  server: McpServer,
  asked: Asked,
): { tools: Tool[]; mistakes: Where[]; missing: Where[] } {
  const mistakes: Where[] = [];
  const missing: Where[] = [];
  const tools = Object.entries(server.tools).flatMap(([upstreamName, use]) => {
    const at = { path: ['mcp', 'tools', upstreamName], isKey: true };
    const name = idSchema.safeParse(`${server.prefix}${upstreamName}`);
    if (!name.success) {
      mistakes.push({ ...at, text: `the tool's name ${name.error.issues[0]?.message ?? 'is not valid'}` });
      return [];
    }
    const named = { upstreamName, name: name.data, use };
    if ('reason' in asked) return [unavailableTool(server, named, asked.reason)];
    const definition = asked.offered.find((one) => one.name === upstreamName);
    if (definition !== undefined) return [toolOf(server, named, definition)];
    // A server's own words are shown only where they are a name.
    const names = asked.offered.map((one) => one.name).filter((one) => idSchema.safeParse(one).success);
    const text = `the MCP server ${server.server} offers no tool ${upstreamName}${meantText(upstreamName, names)}`;
    missing.push({ ...at, text });
    return [unavailableTool(server, named, `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`)];
  });
  return { tools, mistakes, missing };
}

/**
 * Returns tools in which what is unavailable is as another list knows it, where that is the same tool of the same server: its
 * definition stays pinned, and a call finds out whether the server answers. Throws `ConfigurationFailure` for arguments that
 * such tools do not have, as `resolveTools` does for tools of servers that answered.
 */
export function withKnown(
  { checkWith }: Pick<LoadedConfiguration, 'checkWith'>,
  tools: readonly Tool[],
  knowing: readonly Tool[],
): Tool[] {
  const known = new Map(knowing.map((tool) => [tool.name, tool]));
  const whole = tools.map((tool) => {
    const before = known.get(tool.name);
    if (tool.unavailable === undefined || before === undefined || before.unavailable !== undefined)
      return tool;
    return describedBy(tool, before) ?? tool;
  });
  const { refused } = checkWith(schemasOf(whole));
  if (refused.length > 0) throw new ConfigurationFailure(refused);
  return whole;
}

/** Returns a tool with the definition of another, where both are the same tool of the same server. */
function describedBy(tool: Tool, { target: known, title, description, inputSchema }: Tool): Tool | undefined {
  const { target } = tool;
  if (target.kind !== 'mcp' || known.kind !== 'mcp') return undefined;
  const isSame = known.server === target.server && known.name === target.name;
  if (!isSame || digestOf(known.connection) !== digestOf(target.connection)) return undefined;
  const { definitionDigest, pinnedDigest } = known;
  return withDefinition(tool, target, { title, description, inputSchema, definitionDigest, pinnedDigest });
}

type Definition = Pick<DiscoveredTool, 'description' | 'inputSchema' | 'definitionDigest'> & {
  title: string | undefined;
  pinnedDigest: string;
};

/** Returns an unavailable tool as it is when its definition is known. */
function withDefinition(
  { unavailable: _unavailable, ...tool }: Tool,
  target: McpTarget,
  { title, description, inputSchema, ...digests }: Definition,
): Tool {
  return {
    ...tool,
    ...(title === undefined ? {} : { title }),
    ...{ description, inputSchema },
    target: { ...target, ...digests },
  };
}

/**
 * Asks the servers of unavailable tools again, and returns every tool as it is then; undefined where nothing changed. Tools
 * come from whoever may write them, so a local server is started only where a person at this machine agreed to it.
 */
export async function askAgain(stored: readonly Tool[], asking: Asking): Promise<Tool[] | undefined> {
  const commands = await readCommandList(commandsFile(asking.data));
  const waiting = new Map<string, McpTarget>();
  for (const { unavailable, target } of stored)
    if (unavailable !== undefined && target.kind === 'mcp' && mayAsk(target.connection, commands))
      waiting.set(digestOf(target.connection), target);
  if (waiting.size === 0) return undefined;
  await using asker = await openAsker(asking);
  const answers = new Map(
    await Promise.all(
      [...waiting].map(
        async ([key, { server, connection }]) => [key, await asker.ask(server, connection)] as const,
      ),
    ),
  );
  const tools = stored.map((tool) => {
    const { unavailable, target } = tool;
    if (unavailable === undefined || target.kind !== 'mcp') return tool;
    const answer = answers.get(digestOf(target.connection));
    const offered = answer !== undefined && 'offered' in answer ? answer.offered : [];
    const definition = offered.find(({ name }) => name === target.name);
    if (definition === undefined) return tool;
    const { title, description, inputSchema, definitionDigest } = definition;
    // What was pinned stays pinned: docs/decisions/029.
    const isFirst = target.pinnedDigest === unknownDefinition;
    const digests = { definitionDigest, pinnedDigest: isFirst ? definitionDigest : target.pinnedDigest };
    return withDefinition(tool, target, { title, description, inputSchema, ...digests });
  });
  return tools.some((tool, index) => tool !== stored[index]) ? tools : undefined;
}

function mayAsk(connection: McpTransport, commands: CommandList): boolean {
  return connection.transport === 'http' || isListed(commands, connection);
}

interface NamedUse {
  upstreamName: string;
  name: string;
  use: McpServer['tools'][string];
}

/** Returns a tool of which only the tool file says anything: nobody can call it. */
function unavailableTool(server: McpServer, named: NamedUse, reason: string): Tool {
  const definition = {
    ...{ name: named.upstreamName, description: '', inputSchema: { type: 'object' } },
    definitionDigest: unknownDefinition,
  };
  return { ...toolOf(server, named, definition), unavailable: { reason: reason.slice(0, REASON_LENGTH) } };
}

/** Returns a tool as its file and its server describe it. */
function toolOf(
  { server, connection, timeoutMs, credential }: McpServer,
  { name, use }: NamedUse,
  { name: upstreamName, title, description, inputSchema, definitionDigest }: DiscoveredTool,
): Tool {
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
