/**
 * What may be said of a call, from what is known of it.
 *
 * 1. The ledger outweighs the question: what started, settled or was refused is no longer held.
 * 2. A started call may still settle until its claim runs out; then its orphan is settled by somebody.
 */
import type { LedgerEntry } from '@interlock/bus';
import { faults, limits, type QuestionEntry, type Refused, type Settled } from '@interlock/contracts';

/** After a claim ran out, how long its settling as an orphan may take before nobody waits any more. */
export const ORPHAN_GRACE_MS = 5_000;

type Claimed = Extract<LedgerEntry, { step: 'started' | 'restarted' }>['body'];
type Asked = QuestionEntry['question'];

export type Standing =
  | { kind: 'absent' }
  | { kind: 'settled'; settled: Settled }
  | { kind: 'refused'; refused: Refused }
  | { kind: 'started'; claim: Claimed; leftMs: number }
  | { kind: 'held'; question: Asked }
  /** The question is answered or expired, and the line goes on until then at the latest. */
  | { kind: 'resolved'; question: Asked; leftMs: number };

/** Returns where a call stands. Instants of other machines are bounded by the limits they may not exceed. */
export function standingOf(
  ledger: LedgerEntry | undefined,
  entry: QuestionEntry | undefined,
  nowMs: number,
): Standing {
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
      return { kind: 'settled', settled: ledger.body };
    case 'refused':
      return { kind: 'refused', refused: ledger.body };
    case 'evaluated':
      return { kind: 'absent' };
    case 'started':
    case 'restarted': {
      const claim = ledger.body;
      const leftMs = clamp(claim.at + claim.claimMs - nowMs, claim.claimMs) + ORPHAN_GRACE_MS;
      return { kind: 'started', claim, leftMs };
    }
    default:
      return ledger satisfies never;
  }
}

/** Whose call it is, and what was asked for: what a second request under the same key is compared with. */
export interface Origin {
  agent: string;
  tool: string;
  argumentsDigest: string | undefined;
}

/** Returns a call's origin, or undefined when nothing is known of the call. */
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

/** True when a request is the one that made the call. A refusal that does not tell the arguments fits any. */
export function isSameRequest(origin: Origin, request: { tool: string; argumentsDigest: string }): boolean {
  const { tool, argumentsDigest } = origin;
  return (
    tool === request.tool && (argumentsDigest === undefined || argumentsDigest === request.argumentsDigest)
  );
}

/**
 * What to do with a request whose Idempotency-Key names a call that stands so: make it, take the key's next id,
 * refuse it because the key was used for something else or is past its window, or follow the call to its end.
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

/** The ledger keeps an ended call for a while after its window, so that a late key is refused and not taken for a new one. */
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
