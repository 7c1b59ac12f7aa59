/**
 * Where a call stands, from what is stored of it.
 *
 * S1. The ledger outweighs the question: what started, settled or was refused is no longer held.
 * S2. A started call may still settle until its claim runs out; after that its orphan is settled by an executor.
 */
import type { Ledger, LedgerEntry, Records } from '@interlock/bus';
import { faults, limits, type QuestionEntry, type Refused, type Settled } from '@interlock/contracts';
import type { Clock } from '@interlock/shell';
import type { CallEvent } from './waits.ts';

/** After a claim ran out, how long a request waits for the claim to be settled as an orphan. */
export const ORPHAN_GRACE_MS = 5_000;

type Claimed = Extract<LedgerEntry, { step: 'started' | 'restarted' }>['body'];
type Asked = QuestionEntry['question'];

export type Standing =
  | { kind: 'absent' }
  /** `live` where the outcome was received as it was stored: its body may still arrive on the channel. */
  | { kind: 'settled'; settled: Settled; live: boolean }
  | { kind: 'refused'; refused: Refused }
  | { kind: 'started'; claim: Claimed; leftMs: number }
  | { kind: 'held'; question: Asked }
  /** The question was answered or expired, and the call goes on for this long at most. */
  | { kind: 'resolved'; question: Asked; leftMs: number };

export interface StandingSources {
  bus: Pick<Ledger, 'readCall'>;
  questions: Pick<Records<QuestionEntry>, 'get'>;
  clock: Pick<Clock, 'nowMs'>;
}

/** Reads where a call stands. Throws `dependency_unavailable`. */
export async function readStanding(
  { tenant, call }: { tenant: string; call: string },
  { bus, questions, clock }: StandingSources,
): Promise<Standing> {
  const [ledger, question] = await Promise.all([
    bus.readCall(tenant, call),
    questions.get(`${tenant}.${call}`),
  ]);
  return standingOf(ledger, question?.value, clock.nowMs());
}

/** Returns where a call stands after an event that was just stored. */
export function standingOfEvent(event: CallEvent): Standing {
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

/** Returns where a call stands. Instants of other machines are bounded by the limits they may not exceed. */
export function standingOf(
  ledger: LedgerEntry | undefined,
  entry: QuestionEntry | undefined,
  nowMs: number,
): Standing {
  // S1
  if (ledger !== undefined) return standingOnLedger(ledger, nowMs);
  if (entry === undefined) return { kind: 'absent' };
  const { question } = entry;
  if (entry.state === 'open') return { kind: 'held', question };
  const until = (entry.resolvedAt ?? nowMs) + limits.approvedCallMs;
  return { kind: 'resolved', question, leftMs: clamp(until - nowMs, limits.approvedCallMs) };
}

function standingOnLedger(ledger: LedgerEntry, nowMs: number): Standing {
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
export function originOf(standing: Standing): Origin | undefined {
  switch (standing.kind) {
    case 'absent':
      return undefined;
    case 'settled':
      return standing.settled;
    case 'refused':
      return { ...standing.refused, argumentsDigest: standing.refused.argumentsDigest };
    case 'started':
      return standing.claim;
    case 'held':
    case 'resolved':
      return standing.question;
    default:
      return standing satisfies never;
  }
}

/** True when a request asks for what the call asked for. A refusal without the digest of the arguments fits any. */
export function isSameRequest(origin: Origin, request: { tool: string; argumentsDigest: string }): boolean {
  const { tool, argumentsDigest } = origin;
  return (
    tool === request.tool && (argumentsDigest === undefined || argumentsDigest === request.argumentsDigest)
  );
}

/**
 * Returns what to do with a request whose Idempotency-Key names a call that stands so: make the call, take the next
 * call id of the key, refuse the request because the key was used for something else or is past its window, or follow
 * the call to its end.
 */
export function planOf(
  standing: Standing,
  request: { tool: string; argumentsDigest: string },
  nowMs: number,
): 'make' | 'next' | 'reused' | 'expired' | 'follow' {
  const origin = originOf(standing);
  if (origin === undefined) return 'make';
  if (isPastWindow(standing, nowMs)) return 'expired';
  if (!isSameRequest(origin, request)) return 'reused';
  return standing.kind === 'refused' && faults[standing.refused.code].retryable ? 'next' : 'follow';
}

/** The ledger keeps an ended call for a while after its window, so that a late key is refused and not mistaken for a new one. */
function isPastWindow(standing: Standing, nowMs: number): boolean {
  const ended =
    standing.kind === 'settled'
      ? standing.settled.at
      : standing.kind === 'refused'
        ? standing.refused.at
        : nowMs;
  return nowMs - ended > limits.idempotencyWindowMs;
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
