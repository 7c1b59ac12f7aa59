import type { EntryWatch } from '@interlock/bus';
import { type Call, Fault, switchKeysOf, type Tool } from '@interlock/contracts';

/**
 * Returns why a call may not go on: `killed` with the rule `switches/<key>` where a kill switch is on for it, and
 * `dependency_unavailable` where our copy of the switches may be behind: what is not known stops the call (fail
 * closed). The whole tool is a parameter, so that no caller forgets the switch of one of its credentials.
 */
export function blockedBy(
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>,
  { tenant, agent }: Pick<Call, 'tenant' | 'agent'>,
  { name, credential }: Pick<Tool, 'name' | 'credential'>,
): Fault | undefined {
  if (!switches.current)
    return new Fault('dependency_unavailable', { detail: 'The copy of the kill switches may be behind.' });
  const keys = switchKeysOf({ tenant, agent, tool: name, credentials: credential.map((use) => use.name) });
  const on = keys.find((key) => switches.get(key)?.on === true);
  return on === undefined ? undefined : new Fault('killed', { rule: `switches/${on}` });
}
