/** Letting a request in: who sends it, and whether the agent and this replica have room for it. */
import { type AgentEntry, Fault } from '@interlock/contracts';
import type { Clock } from '@interlock/shell';
import type { Capacity } from './capacity.ts';
import type { Caps } from './caps.ts';
import { BODY_BYTES } from './request.ts';

/** How long a request that was shed waits at least. */
const OVERLOADED_WAIT_MS = 1_000;

/** What is counted separately: looking up calls does not use up making them. */
export type CapKind = 'call' | 'lookUp' | 'evaluate';

export interface AdmissionParts {
  authenticate: (authorization: string | undefined, nowMs: number) => AgentEntry;
  /** What all agents together may have in flight. */
  capacity: Capacity;
  caps: Readonly<Record<CapKind, Caps>>;
  onFlood: (agentKey: string, agent: AgentEntry) => void;
  clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
}

/** What is read of a request before it is let in. */
interface Arriving {
  method: string;
  headers: { authorization?: string | undefined; 'content-length'?: string | undefined };
}

/** A request of an authenticated agent. */
export interface Admitted {
  agent: AgentEntry;
  arrivedMs: number;
  /** Ends its being in flight. */
  release: () => void;
}

/**
 * Authenticates the agent and counts its request as in flight. Throws `key_missing`, `key_invalid`,
 * `dependency_unavailable`, `agent_flood` or `overloaded`.
 */
export function admit(request: Arriving, kind: CapKind, parts: AdmissionParts): Admitted {
  const { authenticate, clock, caps, onFlood, capacity } = parts;
  const agent = authenticate(request.headers.authorization, clock.nowMs());
  const agentKey = keyOf(agent);
  const arrivedMs = clock.monotonicMs();
  const taken = caps[kind].take(agentKey, agent.caps, arrivedMs);
  if (!taken.taken) {
    if (kind === 'call') onFlood(agentKey, agent);
    throw new Flooded(agent.caps, taken.retryAfterMs);
  }
  const bytes = bodyBytesOf(request);
  if (!capacity.fits(bytes)) {
    taken.release();
    throw new Fault('overloaded', { retryAfterMs: OVERLOADED_WAIT_MS });
  }
  const leave = capacity.take(bytes);
  const release = () => {
    taken.release();
    leave();
  };
  return { agent, arrivedMs, release };
}

/** Counts further evaluations of an admitted request against the agent's caps. Throws `agent_flood`. */
export function spendEvaluations(
  { agent, arrivedMs }: Admitted,
  evaluations: number,
  { caps }: Pick<AdmissionParts, 'caps'>,
): void {
  const retryAfterMs = caps.evaluate.spend(keyOf(agent), agent.caps, evaluations, arrivedMs);
  if (retryAfterMs !== undefined) throw new Flooded(agent.caps, retryAfterMs);
}

/** Returns how large a request's body may become: as it declares, or as large as a body may be. */
function bodyBytesOf({ method, headers }: Arriving): number {
  if (method === 'GET') return 0;
  const declared = headers['content-length'];
  return declared === undefined ? BODY_BYTES : Math.min(Number(declared), BODY_BYTES);
}

function keyOf({ tenant, agent }: AgentEntry): string {
  return `${tenant}.${agent}`;
}

/** A refusal by the agent's own caps, which the answer names. */
export class Flooded extends Fault {
  readonly policy: string;

  constructor({ burst, ratePerSecond }: AgentEntry['caps'], retryAfterMs: number) {
    super('agent_flood', { retryAfterMs, rule: 'agent' });
    this.policy = `"agent";q=${burst};w=${Math.max(1, Math.ceil(burst / ratePerSecond))}`;
  }
}
