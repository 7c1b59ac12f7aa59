/** "The tool in the very version that was decided." A version is the digest of the tool's whole definition. */
import { type Call, Fault, type Tool, toolVersionOf } from '@interlock/contracts';
import { type EntrySource, readEntry } from './entry.ts';

type NamedTool = Pick<Call, 'tool' | 'toolVersion'>;

/** A definition in memory never changes, so its digest is computed once. */
const versions = new WeakMap<Tool, string>();

/** Returns a tool's version. */
export function versionOf(tool: Tool): string {
  const version = versions.get(tool) ?? toolVersionOf(tool);
  versions.set(tool, version);
  return version;
}

/**
 * Returns the tool that a call names: from the copy where that holds the version of the call, else whatever version
 * the leader holds; undefined where there is none. Throws `dependency_unavailable` or `entry_forged`.
 */
export async function readTool(
  source: EntrySource<'tools'>,
  { tool, toolVersion }: NamedTool,
): Promise<Tool | undefined> {
  return await readEntry(source, tool, (held) => versionOf(held) === toolVersion);
}

/** Returns the tool if it is the one that was decided. Throws `tool_changed`. */
export function assertVersion(tool: Tool | undefined, named: NamedTool): Tool {
  if (tool === undefined || tool.name !== named.tool || versionOf(tool) !== named.toolVersion)
    throw new Fault('tool_changed');
  return tool;
}
