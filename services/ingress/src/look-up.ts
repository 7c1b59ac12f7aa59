import { type AgentEntry, Fault, idSchema } from '@interlock/contracts';
import type { Answer } from './answer.ts';
import {
  type CallState,
  type CallStateSources,
  originOf,
  readCallState,
  stateAfterEvent,
} from './call-state.ts';
import { answerEnding, type Ending, type EndingParts } from './ending.ts';
import type { Waiter, Waits } from './waits.ts';

export type LookUpParts = CallStateSources & EndingParts & { waits: Pick<Waits, 'open' | 'has'> };

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
  const state = await readCallState(waiter.waited, parts);
  if (!isOwn(state, waiter, parts)) throw new Fault('call_unknown');
  return await answerEnding(await endingWithin(waitMs, state, waiter, parts), waiter, parts);
}

/** A call of which nothing is stored yet is known to the replica that makes it. */
function isOwn(state: CallState, { waited }: Waiter, { waits }: LookUpParts): boolean {
  const origin = originOf(state);
  return origin === undefined ? waits.has(waited) : origin.agent === waited.agent;
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
  return endingNow(event === undefined ? await readCallState(waiter.waited, parts) : stateAfterEvent(event));
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
