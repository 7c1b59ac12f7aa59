import type { Entries, EntryWatch } from '@interlock/bus';
import type { AgentEntry, Call, EntryBucket, EntryValue, Tool } from '@interlock/contracts';
import { versionOf } from './check.ts';

/** A bucket of signed entries: the copy in memory, and the leader where the copy leaves a doubt. */
export interface Source<B extends EntryBucket> {
  watch: Pick<EntryWatch<B>, 'get' | 'current'>;
  entries: Pick<Entries<B>, 'get'>;
}

/**
 * Returns the agent a call names, or undefined. A copy that does not agree with the call may only be late, so the
 * leader is asked before the call is refused for it. Throws `dependency_unavailable` or `entry_forged`.
 */
export function agentOf(source: Source<'agents'>, call: Call): Promise<AgentEntry | undefined> {
  return read(
    source,
    `${call.tenant}.${call.agent}`,
    ({ user, session }) => user === call.user && session === call.session,
  );
}

/** Returns the tool a call names, or undefined; see `agentOf`. */
export function toolOf(source: Source<'tools'>, call: Call): Promise<Tool | undefined> {
  return read(source, call.tool, (tool) => versionOf(tool) === call.toolVersion);
}

async function read<B extends EntryBucket>(
  { watch, entries }: Source<B>,
  key: string,
  agrees: (value: EntryValue<B>) => boolean,
): Promise<EntryValue<B> | undefined> {
  const copy = watch.current ? watch.get(key) : undefined;
  if (copy !== undefined && agrees(copy)) return copy;
  return (await entries.get(key))?.value;
}
