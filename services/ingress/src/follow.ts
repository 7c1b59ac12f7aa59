/**
 * Following a call until its outcome, or why there is none yet, is known.
 *
 * F1. 503 `deadline_passed` is answered only after ingress's own refusal was stored: then nothing can start any more.
 * F2. An open question keeps its call: the deadline of the request is not the deadline of the person.
 * F3. An outcome that cannot be read is unknown: 504 `outcome_unknown`, with the call's id.
 * F4. A request is answered only from a call that asked for the same thing.
 */
import type { BusLog } from '@interlock/bus';
import type { Evidence } from '@interlock/contracts';
import type { Refusing } from '@interlock/gate';
import type { Clock } from '@interlock/shell';
import {
  type CallState,
  type CallStateSources,
  isSameRequest,
  originOf,
  readCallState,
  stateAfterEvent,
} from './call-state.ts';
import { type Ending, faultEnding } from './ending.ts';
import { settleOverdue } from './overdue.ts';
import type { RefuseParts } from './refuse.ts';
import type { Waiter, Waits } from './waits.ts';

export type FollowParts = CallStateSources &
  RefuseParts & { waits: Pick<Waits, 'drained'>; clock: Clock; log: BusLog };

/** A call, as the request that follows it knows it. */
export interface FollowedCall {
  who: Refusing['call'] & { argumentsDigest: string };
  evidence: Evidence;
  waiter: Waiter;
  /** When a call that was not started is refused, on the monotonic clock. */
  deadlineMs: number;
}

/** How far a request has followed a call. It begins at a call that was just published, or at what was read of one. */
type Stage = CallState | { kind: 'published' } | { kind: 'unknown' };

/** A call passes through four stages at most; the rest is for timers that fire a little early. */
const TURNS_MAX = 8;

/** Waits for the end of a call, and refuses the call at its deadline if it was not started. Never throws. */
export async function follow(
  from: CallState | { kind: 'published' },
  call: FollowedCall,
  parts: FollowParts,
): Promise<Ending> {
  let stage: Stage = from;
  let ending = endingAt(stage, call);
  try {
    for (let turn = 0; ending === undefined && turn < TURNS_MAX; turn += 1) {
      stage = await nextStage(stage, call, parts);
      ending = endingAt(stage, call);
    }
  } catch (err) {
    // F3
    parts.log.warn({ err, call: call.who.call }, 'could not read the outcome of a call: answering 504');
  }
  return ending ?? faultEnding('outcome_unknown');
}

/** Returns the ending that a stage already is, or undefined while the call goes on. */
function endingAt(stage: Stage, { who }: FollowedCall): Ending | undefined {
  switch (stage.kind) {
    case 'settled':
    case 'refused':
    case 'held': // F2
      return isAbout(stage, who) ? stage : faultEnding('idempotency_key_reused');
    case 'started':
    case 'resolved':
      return isAbout(stage, who) ? undefined : faultEnding('idempotency_key_reused');
    case 'published':
      return undefined;
    case 'absent':
    case 'unknown':
      return faultEnding('outcome_unknown');
    default:
      return stage satisfies never;
  }
}

/** F4 */
function isAbout(state: CallState, who: FollowedCall['who']): boolean {
  const origin = originOf(state);
  return origin === undefined || isSameRequest(origin, who);
}

/** Waits as long as the stage may last, and returns what follows it. */
async function nextStage(stage: Stage, call: FollowedCall, parts: FollowParts): Promise<Stage> {
  const leftMs = 'leftMs' in stage ? stage.leftMs : call.deadlineMs - parts.clock.monotonicMs();
  const event = await call.waiter.next(leftMs, stage.kind === 'published');
  if (event !== undefined) return stateAfterEvent(event);
  if (stage.kind === 'started') return await stagePastClaim(call, parts);
  return parts.waits.drained ? { kind: 'unknown' } : await settleOverdue(call, parts);
}

/** A claim that ran out is settled by now, or its outcome stays unknown. */
async function stagePastClaim({ who }: FollowedCall, parts: FollowParts): Promise<Stage> {
  const state = await readCallState(who, parts);
  return state.kind === 'settled' ? state : { kind: 'unknown' };
}
