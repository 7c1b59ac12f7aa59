/**
 * The state of a call, from what is stored of it.
 *
 * S1. The ledger outweighs the question: what started, settled or was refused is no longer held.
 * S2. A started call may still settle until its claim runs out; after that its orphan is settled by an executor.
 * S3. A refusal whose writer did not know the agent belongs to the agent that the question names.
 * S4. What ended half an hour ago may be purged from the ledger. Its outcome was kept before that, so it is looked up after
 *     the ledger, and outweighs a refusal that was written when the ledger no longer held the end of the call.
 */
import type { Ledger, LedgerEntry, Records } from '@interlock/bus';
import {
  faults,
  limits,
  type OutcomeEntry,
  type QuestionEntry,
  type RefusedCall,
  type SettledCall,
} from '@interlock/contracts';
import { UNKNOWN_NAME } from '@interlock/gate';
import type { Clock } from '@interlock/shell';
import type { CallEvent } from './waits.ts';

/** After a claim ran out, how long a request waits for the claim to be settled as an orphan. */
export const ORPHAN_GRACE_MS = 5_000;

type Claimed = Extract<LedgerEntry, { step: 'started' | 'restarted' }>['body'];
type Asked = QuestionEntry['question'];

export type CallState =
  | { kind: 'absent' }
  /** `live` where the outcome was received as it was stored: its body may still arrive on the channel. */
  | { kind: 'settled'; settled: SettledCall; live: boolean }
  | { kind: 'refused'; refused: RefusedCall }
  | { kind: 'started'; claim: Claimed; leftMs: number }
  | { kind: 'held'; question: Asked }
  /** The question was answered or expired, and the call goes on for this long at most. */
  | { kind: 'resolved'; question: Asked; leftMs: number };

export interface CallStateSources {
  bus: Pick<Ledger, 'readCall'>;
  questions: Pick<Records<QuestionEntry>, 'get'>;
  outcomes: Pick<Records<OutcomeEntry>, 'get'>;
  clock: Pick<Clock, 'nowMs'>;
}

/** Reads the state of a call. Throws `dependency_unavailable`. */
export async function readCallState(
  { tenant, call }: { tenant: string; call: string },
  { bus, questions, outcomes, clock }: CallStateSources,
): Promise<CallState> {
  const key = `${tenant}.${call}`;
  const [ledger, question] = await Promise.all([bus.readCall(tenant, call), questions.get(key)]);
  const state = callStateOf(ledger, question?.value, clock.nowMs());
  // S4
  const kept = isEndedEarlier(state) ? await outcomes.get(key) : undefined;
  return kept === undefined ? state : stateOfOutcome(kept.value, { tenant, call });
}

/** True where the ledger may have held the end of the call before. */
function isEndedEarlier({ kind }: CallState): boolean {
  return kind === 'absent' || kind === 'refused' || kind === 'resolved';
}

function stateOfOutcome(outcome: OutcomeEntry, address: { tenant: string; call: string }): CallState {
  switch (outcome.step) {
    case 'settled': {
      const { step: _, ...settled } = outcome;
      return { kind: 'settled', settled: { ...address, ...settled }, live: false };
    }
    case 'refused': {
      const { step: _, ...refused } = outcome;
      return { kind: 'refused', refused: { ...address, ...refused } };
    }
    default:
      return outcome satisfies never;
  }
}

/** Returns the state of a call after an event that was just stored. */
export function stateAfterEvent(event: CallEvent): CallState {
  switch (event.step) {
    case 'settled':
      return { kind: 'settled', settled: event.body, live: true };
    case 'refused':
      return { kind: 'refused', refused: event.body };
    case 'asked':
      return { kind: 'held', question: event.body.question };
    default:
      return event satisfies never;
  }
}

/** Returns the state of a call. Instants of other machines are bounded by the limits they may not exceed. */
export function callStateOf(
  ledger: LedgerEntry | undefined,
  entry: QuestionEntry | undefined,
  nowMs: number,
): CallState {
  // S1
  if (ledger !== undefined) return named(stateOnLedger(ledger, nowMs), entry?.question);
  if (entry === undefined) return { kind: 'absent' };
  const { question } = entry;
  if (entry.state === 'open') return { kind: 'held', question };
  const until = (entry.resolvedAt ?? nowMs) + limits.approvedCallMs;
  return { kind: 'resolved', question, leftMs: clamp(until - nowMs, limits.approvedCallMs) };
}

/** S3 */
function named(state: CallState, question: Asked | undefined): CallState {
  if (state.kind !== 'refused' || state.refused.agent !== UNKNOWN_NAME || question === undefined)
    return state;
  const { agent, tool, argumentsDigest } = question;
  return { kind: 'refused', refused: { ...state.refused, agent, tool, argumentsDigest } };
}

function stateOnLedger(ledger: LedgerEntry, nowMs: number): CallState {
  switch (ledger.step) {
    case 'settled':
      return { kind: 'settled', settled: ledger.body, live: false };
    case 'refused':
      return { kind: 'refused', refused: ledger.body };
    case 'evaluated':
      return { kind: 'absent' };
    case 'started':
    case 'restarted': {
      // S2
      const claim = ledger.body;
      const leftMs = clamp(claim.at + claim.claimMs - nowMs, claim.claimMs) + ORPHAN_GRACE_MS;
      return { kind: 'started', claim, leftMs };
    }
    default:
      return ledger satisfies never;
  }
}

/** Whose call it is and what it asks for: a second request under the same key is compared with it. */
export interface Origin {
  agent: string;
  tool: string;
  argumentsDigest: string | undefined;
}

/** Returns a call's origin, or undefined where nothing is known of the call. */
export function originOf(state: CallState): Origin | undefined {
  switch (state.kind) {
    case 'absent':
      return undefined;
    case 'settled':
      return state.settled;
    case 'refused':
      return { ...state.refused, argumentsDigest: state.refused.argumentsDigest };
    case 'started':
      return state.claim;
    case 'held':
    case 'resolved':
      return state.question;
    default:
      return state satisfies never;
  }
}

/** True when a request asks for what the call asked for. What a refusal does not know of its call fits any request. */
export function isSameRequest(origin: Origin, request: { tool: string; argumentsDigest: string }): boolean {
  const { tool, argumentsDigest } = origin;
  return (
    (tool === request.tool || tool === UNKNOWN_NAME) &&
    (argumentsDigest === undefined || argumentsDigest === request.argumentsDigest)
  );
}

/**
 * Returns what to do with a request whose Idempotency-Key names a call in this state: make the call, take the next
 * call id of the key, refuse the request because the key was used for something else or is past its window, or follow
 * the call to its end.
 */
export function planOf(
  state: CallState,
  request: { tool: string; argumentsDigest: string },
  nowMs: number,
): 'make' | 'next' | 'reused' | 'expired' | 'follow' {
  const origin = originOf(state);
  if (origin === undefined) return 'make';
  if (isPastWindow(state, nowMs)) return 'expired';
  if (!isSameRequest(origin, request)) return 'reused';
  return state.kind === 'refused' && faults[state.refused.code].retryable ? 'next' : 'follow';
}

/** An outcome is kept for an hour after its window, so that a late key is refused and not mistaken for a new one. */
function isPastWindow(state: CallState, nowMs: number): boolean {
  const ended =
    state.kind === 'settled' ? state.settled.at : state.kind === 'refused' ? state.refused.at : nowMs;
  return nowMs - ended > limits.idempotencyWindowMs;
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
