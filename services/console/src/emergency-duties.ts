/**
 * Who may open an emergency. It answers every question about an agent's calls beforehand, so it takes somebody who may
 * answer them, and by default nobody who could send them: not the person the agent acts for, not who made the agent, and
 * not who made a key of it. An admin may hold keys: the first start makes them in an admin's name. Who may answer is read
 * from `approvals.yaml`: roles that a rule names for a single call are not known before there is a call.
 */
import {
  type AgentEntry,
  type ApprovalsEntry,
  approvalsEntrySchema,
  Fault,
  type PersonEntry,
} from '@interlock/contracts';
import type { Management } from './management.ts';

/** Throws `role_missing` where a person may not open an emergency for an agent's calls to these tools. */
export async function requireDuties(
  { bus, clock }: Pick<Management, 'bus' | 'clock'>,
  person: PersonEntry,
  agent: AgentEntry,
  tools: readonly string[],
): Promise<void> {
  const stored = await bus.entries('settings').get('approvals');
  const approvals = approvalsEntrySchema.parse(stored?.value ?? {});
  const why = whyNot(person, { agent, tools, approvals, nowMs: clock.nowMs() });
  if (why !== undefined)
    throw new Fault('role_missing', {
      detail: why,
      next: 'Ask somebody else who may answer questions about these tools. An admin sets who may in approvals.yaml.',
    });
}

/** Returns why a person may not, or undefined. */
export function whyNot(
  { person, roles }: Pick<PersonEntry, 'person' | 'roles'>,
  {
    agent,
    tools,
    approvals,
    nowMs,
  }: { agent: AgentEntry; tools: readonly string[]; approvals: ApprovalsEntry; nowMs: number },
): string | undefined {
  const isAdmin = roles.includes('admin');
  const asked = answerRoles(approvals, tools);
  if (!isAdmin && !asked.every((some) => some.some((role) => roles.includes(role))))
    return 'An emergency answers the questions about these tools, and this person may not answer them.';
  if (!approvals.emergencies.separateDuties) return undefined;
  if (agent.user === person)
    return 'The agent acts for this person: somebody else opens an emergency for it.';
  const holdsKey = agent.keys.some(({ by, notAfter }) => by === person && notAfter > nowMs);
  if (!isAdmin && (agent.createdBy === person || holdsKey))
    return 'This person made the agent or a key of it: somebody else opens an emergency for it.';
  return undefined;
}

/** Returns for each tool the roles any of which may answer; for all tools, those of every rule. */
function answerRoles({ roles, rules }: ApprovalsEntry, tools: readonly string[]): string[][] {
  const isAll = tools.includes('*');
  const about = rules.filter(({ tool }) => isAll || tools.includes(tool)).map((rule) => rule.roles ?? roles);
  const isGeneral = isAll || tools.some((tool) => !rules.some((rule) => rule.tool === tool));
  return isGeneral ? [roles, ...about] : about;
}
