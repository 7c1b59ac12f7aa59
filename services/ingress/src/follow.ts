/**
 * Following a call until something true can be said of it.
 *
 * F1. 503 `deadline_passed` is said only after ingress's own refusal was stored: then nothing can start any more.
 * F2. An open question keeps its call: the deadline of the request is not the deadline of the person.
 * F3. What cannot be read is not known: 504 `outcome_unknown`, with the call's id.
 * F4. A request is answered only from a call that asked for the same thing.
 */
import type { BusLog } from '@interlock/bus';
import { type Evidence, Fault } from '@interlock/contracts';
import type { Refusing } from '@interlock/gate';
import type { Clock } from '@interlock/shell';
import { type Ending, faultEnding } from './ending.ts';
import { type RefuseParts, refuseCall } from './refuse.ts';
import {
  isSameRequest,
  originOf,
  readStanding,
  type Standing,
  type StandingSources,
  standingOfEvent,
} from './standing.ts';
import type { Waiter, Waits } from './waits.ts';

export type FollowParts = StandingSources &
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
type Stage = Standing | { kind: 'published' } | { kind: 'unknown' };

/** A call passes through four stages at most; the rest is for timers that fire a little early. */
const TURNS_MAX = 8;

/** Waits for the end of a call, and past its deadline writes the end. Never throws. */
export async function follow(
  from: Standing | { kind: 'published' },
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
function isAbout(standing: Standing, who: FollowedCall['who']): boolean {
  const origin = originOf(standing);
  return origin === undefined || isSameRequest(origin, who);
}

/** Waits as long as the stage may last, and returns what follows it. */
async function nextStage(stage: Stage, call: FollowedCall, parts: FollowParts): Promise<Stage> {
  const leftMs = 'leftMs' in stage ? stage.leftMs : call.deadlineMs - parts.clock.monotonicMs();
  const event = await call.waiter.next(leftMs, stage.kind === 'published');
  if (event !== undefined) return standingOfEvent(event);
  if (stage.kind === 'started') return await stagePastClaim(call, parts);
  return parts.waits.drained ? { kind: 'unknown' } : await standingPastDeadline(call, parts);
}

/** A claim that ran out is settled by now, or nobody can tell. */
async function stagePastClaim({ who }: FollowedCall, parts: FollowParts): Promise<Stage> {
  const standing = await readStanding(who, parts);
  return standing.kind === 'settled' ? standing : { kind: 'unknown' };
}

/** Returns where a call stands past its deadline, after refusing it if nothing keeps it. */
async function standingPastDeadline(call: FollowedCall, parts: FollowParts): Promise<Standing> {
  const standing = await readStanding(call.who, parts);
  const isOver = standing.kind === 'absent' || (standing.kind === 'resolved' && standing.leftMs === 0);
  if (!isOver) return standing;
  const refusing = { call: call.who, fault: new Fault('deadline_passed'), evidence: call.evidence };
  const { refused, stored } = await refuseCall(refusing, parts);
  // F1
  return stored ? { kind: 'refused', refused } : await readStanding(call.who, parts);
}
