/** The names that a configuration folder defines. */
import {
  type AgentFile,
  type ConfiguredPerson,
  type HttpToolFile,
  type ToolFile,
  toolLabelSchema,
} from '@interlock/contracts';
import type { ReadTool } from '@interlock/facts';
import type { RuleDescription } from '@interlock/policy';

/** One tool of the folder, as far as its file knows it: the schema of an MCP tool comes from its server. */
export interface FileTool extends ReadTool {
  name: string;
  labels: readonly string[];
  environment: string | undefined;
  spends: string | undefined;
}

export interface FolderNames {
  tools: ReadonlyMap<string, FileTool>;
  agents: readonly AgentFile[];
  /** Every role of a person. */
  personRoles: ReadonlySet<string>;
  /** Known names of each kind that a setting can name. */
  of: Readonly<Record<NameKind, ReadonlySet<string>>>;
}

/** What rules name in their settings, but for the arguments of tools. */
export type NameKind = Exclude<SettingKind, 'argument'>;
export type SettingKind = RuleDescription['restricts'][string];

/**
 * Kinds of which a folder need not know every name: `interlock agent create` makes agents that are in no file, and a
 * deployment has an environment of its own. Such a name is refused only where it looks like a known one.
 */
export const openKinds: ReadonlySet<NameKind> = new Set(['agent', 'tenant', 'user', 'role', 'environment']);

export interface NamedFiles {
  tools: readonly ToolFile[];
  agents: readonly AgentFile[];
  people: readonly ConfiguredPerson[];
  /** `config.zones` of the policy's data. */
  zones: readonly string[];
  schemas: KnownSchemas;
}

/** The schemas of the arguments of MCP tools, by tool, where their servers were asked. */
export type KnownSchemas = ReadonlyMap<string, HttpToolFile['inputSchema']>;

export function folderNames({ tools: files, agents, people, zones, schemas }: NamedFiles): FolderNames {
  const found = files
    .flatMap(toolsOf)
    .map((tool) => ({ ...tool, inputSchema: tool.inputSchema ?? schemas.get(tool.name) }));
  const tools = new Map(found.map((tool) => [tool.name, tool]));
  const environments = [...tools.values(), ...agents].map(({ environment }) => environment);
  return {
    tools,
    agents,
    personRoles: new Set(people.flatMap(({ roles }) => roles)),
    of: {
      tool: new Set(tools.keys()),
      label: new Set(toolLabelSchema.options),
      agent: new Set(agents.map(({ agent }) => agent)),
      tenant: new Set(agents.map(({ tenant }) => tenant)),
      user: new Set(agents.map(({ user }) => user)),
      role: new Set(agents.flatMap(({ roles }) => roles)),
      environment: new Set(environments.filter((name) => name !== undefined)),
      zone: new Set(zones),
    },
  };
}

/** Returns the tools of one file: of an MCP server, those that it lists. */
export function toolsOf(file: ToolFile): FileTool[] {
  if (!('mcp' in file)) {
    const { name, labels, environment, spends, parse, inputSchema, http } = file;
    return [{ name, labels, environment, spends, parse, inputSchema, target: { kind: 'http', ...http } }];
  }
  return Object.entries(file.mcp.tools).map(([upstream, { labels, environment, spends, parse }]) => ({
    name: `${file.mcp.prefix}${upstream}`,
    ...{ labels, environment, spends, parse, inputSchema: undefined, target: { kind: 'mcp' } },
  }));
}
