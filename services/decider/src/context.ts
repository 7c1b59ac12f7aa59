import type { AgentEntry, Call, EmergencyEntry, Tool } from '@interlock/contracts';
import type { FactReader } from '@interlock/facts';
import type { Authority } from './decide.ts';
import type { Policies } from './policies.ts';
import type { Sessions } from './session.ts';
import type { Shadow } from './shadow.ts';

/** What a decision is made with. */
export interface DecisionContext {
  authority: Authority;
  policies: Pick<Policies, 'inForce' | 'candidate'>;
  shadow: Pick<Shadow, 'ask'>;
  sessions: Pick<Sessions, 'of' | 'use' | 'deny'>;
  /** Reads the agent's entry; the leader is asked where our copy does not agree with the call. */
  agentOf(call: Call): Promise<AgentEntry | undefined>;
  /** Reads the tool's entry, in the same way. */
  toolOf(call: Call): Promise<Tool | undefined>;
  /** Reads what the arguments mean. What no parser understands is a fact that is not readable. */
  parse: FactReader['read'];
  /** Returns the emergency that a person opened for the call's agent and tool, while it lasts. */
  emergencyOf(call: Call, nowMs: number): EmergencyEntry | undefined;
  /** Logs and counts what was decided under an emergency. */
  reportEmergency(
    emergency: EmergencyEntry,
    call: Call,
    step: 'decided' | 'held' | 'refused' | 'evaluated',
  ): void;
  /** The deployment's own name for where it runs. */
  environment: string;
  nowMs(): number;
}
