import type { EntryWatch } from '@interlock/bus';
import type { Call, EmergencyEntry } from '@interlock/contracts';
import { counter } from '@interlock/shell';

/** No emergency lasts longer than this, whatever its entry says. */
const EMERGENCY_MAX_MS = 4 * 3_600_000;
/** Clocks of two machines of one cluster differ by less. */
const SKEW_MS = 60_000;

const decisions = counter(
  'interlock_decider_emergency_decisions_total',
  'Decisions made under an emergency that a person opened for the agent and tool, by the step that followed.',
  ['step'],
);

/**
 * Returns the emergency that a person opened for the call's agent and tool, while it lasts. Returns none while our copy
 * may be behind: the emergency may have been closed.
 */
export function emergencyOf(
  watch: Pick<EntryWatch<'emergencies'>, 'current' | 'get'>,
  { tenant, agent, tool }: Pick<Call, 'tenant' | 'agent' | 'tool'>,
  nowMs: number,
): EmergencyEntry | undefined {
  const emergency = watch.current ? watch.get(`${tenant}.${agent}`) : undefined;
  if (emergency === undefined || emergency.tenant !== tenant || emergency.agent !== agent) return undefined;
  const { tools, openedAt, expiresAt } = emergency;
  if (!tools.includes(tool) && !tools.includes('*')) return undefined;
  const holds = openedAt <= nowMs + SKEW_MS && nowMs < expiresAt && nowMs < openedAt + EMERGENCY_MAX_MS;
  return holds ? emergency : undefined;
}

/** Logs and counts a decision under an emergency. */
export function reportEmergency(
  log: { warn(fields: object, message: string): void },
  { id, by, reason }: EmergencyEntry,
  { tenant, agent, tool, call }: Pick<Call, 'tenant' | 'agent' | 'tool' | 'call'>,
  step: 'decided' | 'held' | 'refused' | 'evaluated',
): void {
  decisions.inc({ step });
  log.warn(
    { emergency: id, by, reason, tenant, agent, tool, call, step },
    'a call was decided under an emergency',
  );
}
