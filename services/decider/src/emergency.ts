import type { EntryWatch } from '@interlock/bus';
import type { Call, EmergencyEntry } from '@interlock/contracts';
import { counter } from '@interlock/shell';

/** Longer than this none lasts, whatever its entry says. */
const EMERGENCY_MAX_MS = 4 * 3_600_000;
/** Clocks of two machines of one cluster differ by less. */
const SKEW_MS = 60_000;

const decisions = counter(
  'interlock_decider_emergency_decisions_total',
  'Decisions made while somebody had broken the glass for the agent and tool, by the step that followed.',
  ['step'],
);

/**
 * Returns the emergency a call stands under, if a person opened one for its agent and tool and it has not run out.
 * There is none where the copy may be behind: an emergency may have been ended.
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

/** Tells of a decision under an emergency: every one is logged and counted. */
export function announceEmergency(
  log: { warn(fields: object, message: string): void },
  { id, by, reason }: EmergencyEntry,
  { tenant, agent, tool, call }: Pick<Call, 'tenant' | 'agent' | 'tool' | 'call'>,
  step: 'decided' | 'held' | 'refused' | 'evaluated',
): void {
  decisions.inc({ step });
  log.warn({ emergency: id, by, reason, tenant, agent, tool, call, step }, 'decided under an emergency');
}
