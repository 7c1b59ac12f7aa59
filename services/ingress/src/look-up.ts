/**
 * Answers about an agent's own calls.
 *
 * U1. A look-up claims nothing about a call that it cannot read: the answer is then 504.
 * U2. The id of a call without an Idempotency-Key proves whose it is and when it was given. A call of which nothing is
 *     stored is running until its deadline, and is refused after it (O1): no id that an answer named is unknown before.
 */
import { type AgentEntry, Fault, idSchema, limits } from '@interlock/contracts';
import { UNKNOWN_NAME } from '@interlock/gate';
import type { Secret } from '@interlock/keys';
import type { Answer } from './answer.ts';
import { callIdGivenAt } from './call-id.ts';
import {
  type CallState,
  type CallStateSources,
  originOf,
  readCallState,
  stateAfterEvent,
} from './call-state.ts';
import type { Doubts } from './doubts.ts';
import { answerEnding, type Ending, type EndingParts } from './ending.ts';
import { isOverdue, settleOverdue } from './overdue.ts';
import type { RefuseParts } from './refuse.ts';
import type { WaitedCall, Waiter, Waits } from './waits.ts';

/** Clocks of two machines of one cluster differ by less. */
const SKEW_MS = 5_000;
/**
 * How long after its deadline a call of which nothing is stored may be refused. After that the ledger may have purged
 * what happened to it, and a refusal would say what nobody knows.
 */
const SETTLE_MS = 600_000;

export type LookUpParts = CallStateSources &
  EndingParts &
  RefuseParts & {
    waits: Pick<Waits, 'open' | 'has'>;
    doubts: Pick<Doubts, 'has'>;
    callIdKey: Secret;
  };

/**
 * Answers an agent about one of its own calls, after waiting up to `waitMs` for the outcome.
 * Throws `id_invalid`, `call_unknown` or `dependency_unavailable`.
 */
export async function lookUp(
  { tenant, agent }: AgentEntry,
  id: string,
  waitMs: number,
  parts: LookUpParts,
): Promise<Answer> {
  // Checked before it becomes part of a subject or a key.
  const call = idSchema.safeParse(id);
  if (!call.success) throw new Fault('id_invalid');
  using waiter = parts.waits.open({ tenant, agent, call: call.data, making: false });
  const state = await stateNow(waiter.waited, parts);
  return await answerEnding(await endingWithin(waitMs, state, waiter, parts), waiter, parts);
}

/** Returns the state of an agent's own call. Throws `call_unknown`. */
async function stateNow(waited: WaitedCall, parts: LookUpParts): Promise<CallState> {
  const state = await readCallState(waited, parts);
  const { agent } = originOf(state) ?? { agent: UNKNOWN_NAME };
  const givenAt = callIdGivenAt(waited.call, waited, parts.callIdKey);
  const isOwn = agent === UNKNOWN_NAME ? givenAt !== undefined : agent === waited.agent;
  if (state.kind !== 'absent' && !isOwn) throw new Fault('call_unknown');
  if (!isOverdue(state) || parts.waits.has(waited) || parts.doubts.has(waited)) return state;
  if (state.kind === 'absent') {
    if (givenAt === undefined) throw new Fault('call_unknown');
    const deadlineMs = givenAt + limits.callMs + SKEW_MS;
    const nowMs = parts.clock.nowMs();
    if (nowMs < deadlineMs) return state;
    if (nowMs > deadlineMs + SETTLE_MS) throw new Fault('call_unknown');
  }
  const { tenant, call } = waited;
  const who = { tenant, agent: waited.agent, call, tool: UNKNOWN_NAME };
  return await settleOverdue({ who, evidence: { call: { tenant, agent: waited.agent, call } } }, parts);
}

async function endingWithin(
  waitMs: number,
  state: CallState,
  waiter: Waiter,
  parts: LookUpParts,
): Promise<Ending> {
  const ending = endingNow(state);
  if (ending.kind === 'settled' || ending.kind === 'refused' || waitMs === 0) return ending;
  const event = await waiter.next(waitMs, false);
  return endingNow(event === undefined ? await stateNow(waiter.waited, parts) : stateAfterEvent(event));
}

function endingNow(state: CallState): Ending {
  switch (state.kind) {
    case 'settled':
    case 'refused':
    case 'held':
      return state;
    case 'absent':
    case 'started':
    case 'resolved':
      return { kind: 'running' };
    default:
      return state satisfies never;
  }
}
