/**
 * Calls that nothing keeps any more: past their last instant, and neither started, refused nor waiting for a person.
 *
 * O1. Such a call is refused by ingress, so that what an answer named can be asked for until its outcome is stored.
 * O2. The refusal expects nothing on the ledger: a call that was claimed meanwhile keeps its claim.
 */
import { type Evidence, Fault } from '@interlock/contracts';
import type { Refusing } from '@interlock/gate';
import { type CallState, type CallStateSources, readCallState } from './call-state.ts';
import { type RefuseParts, refuseCall } from './refuse.ts';

/** Returns the state of a call past its deadline, after refusing it unless something keeps it (F1). */
export async function settleOverdue(
  { who, evidence }: { who: Refusing['call']; evidence: Evidence },
  parts: CallStateSources & RefuseParts,
): Promise<CallState> {
  const state = await readCallState(who, parts);
  if (!isOverdue(state)) return state;
  const fault = new Fault('deadline_passed');
  const { refused, stored } = await refuseCall({ call: whoOf(state, who), fault, evidence }, parts);
  return stored ? { kind: 'refused', refused } : await readCallState(who, parts); // O2
}

/** True where nothing can come of a call in this state once its deadline has passed. */
export function isOverdue(state: CallState): boolean {
  return state.kind === 'absent' || (state.kind === 'resolved' && state.leftMs === 0);
}

/** A question knows the tool of its call, also where the one who asks does not. */
function whoOf(state: CallState, who: Refusing['call']): Refusing['call'] {
  return state.kind === 'resolved' ? state.question : who;
}
