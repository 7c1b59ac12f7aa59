import type { AgentEntry, Call } from '@interlock/contracts';
import { type EntrySource, readEntry } from '@interlock/gate';

/**
 * Returns the agent that a call names, or undefined. A copy that does not agree with the call may be behind, so the
 * leader is asked before the call is refused for it. Throws `dependency_unavailable` or `entry_forged`.
 */
export function agentOf(source: EntrySource<'agents'>, call: Call): Promise<AgentEntry | undefined> {
  return readEntry(
    source,
    `${call.tenant}.${call.agent}`,
    ({ user, session }) => user === call.user && session === call.session,
  );
}
