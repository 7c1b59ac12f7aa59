/**
 * Claims that nobody settled. Every claim is heard of from the ledger, once for all replicas.
 *
 * 1. A call that this executor settled is done at once; one in its hands is kept in mind until it ends.
 * 2. Any other claim is looked at after its limit and a grace. By then nobody sends anything for it any more:
 *    limits run from before the claim was stored, and are asked for again before the first byte.
 * 3. What is then unsettled settles as `unknown`, or is claimed again when the tool is idempotent; both name the
 *    claim's sequence, so one of several executors wins.
 */
import type { ClaimNotice, LedgerEntry } from '@interlock/bus';
import type { Claim } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';

/** Covers the difference between the server's clock and ours, and the way of the last byte. */
const GRACE_MS = 2_000;
/** Claims looked at at once; each is a read or two of the leader. */
const LOOKS_MAX = 16;
/** How long a notice waits when there was no room or no answer. */
const LATER_MS = 1_000;
/**
 * Remembered until their notice comes, which then needs no reading. Where another executor hears of them they stay
 * until there are too many.
 */
const SETTLED_MAX = 50_000;

type CallName = { tenant: string; call: string };

/** What to do about a claim past its limit. */
export type OrphanVerdict =
  | { kind: 'done' }
  | { kind: 'restart'; claim: Claim; sequence: number }
  | { kind: 'unknown'; claim: Claim; sequence: number };

/** Decides about a claim past its limit, given the last thing the ledger says of the call. */
export function judgeOrphan(step: ClaimNotice['step'], last: LedgerEntry | undefined): OrphanVerdict {
  // Purged, or over, or claimed again: the later claim has a notice of its own.
  if (last === undefined || last.step !== step) return { kind: 'done' };
  const { body: claim, sequence } = last;
  return { kind: step === 'started' && claim.idempotent ? 'restart' : 'unknown', claim, sequence };
}

/** Returns how long until a claim may be looked at, 0 when it may be now. */
export function waitOf(
  { storedAtMs, claimMs }: Pick<ClaimNotice, 'storedAtMs' | 'claimMs'>,
  nowMs: number,
): number {
  return Math.max(0, storedAtMs + claimMs + GRACE_MS - nowMs);
}

/** Keeps notices of claims until they are settled. */
export class Orphans {
  readonly #nowMs: () => number;
  readonly #look: (notice: ClaimNotice) => Promise<void>;
  readonly #inHand = new Map<string, ClaimNotice | undefined>();
  readonly #settled = new LRUCache<string, true>({ max: SETTLED_MAX });
  readonly #looking = new Set<Promise<void>>();

  /** `look` settles a claim past its limit; when it rejects, the notice comes again. */
  constructor(nowMs: () => number, look: (notice: ClaimNotice) => Promise<void>) {
    this.#nowMs = nowMs;
    this.#look = look;
  }

  /** Says that this executor is about to claim a call. Returns false when it has that call in hand already. */
  begin(call: CallName): boolean {
    const key = keyOf(call);
    if (this.#inHand.has(key)) return false;
    this.#inHand.set(key, undefined);
    return true;
  }

  /** Says that this executor settled a call. */
  settled(call: CallName): void {
    this.#settled.set(keyOf(call), true);
  }

  /** Says that a call is out of this executor's hands, settled or not. */
  end(call: CallName): void {
    const key = keyOf(call);
    const notice = this.#inHand.get(key);
    this.#inHand.delete(key);
    if (notice !== undefined) this.hear(notice);
  }

  /** Takes a notice. A second notice of the same claim replaces the first or finds it settled. */
  hear(notice: ClaimNotice): void {
    const key = keyOf(notice);
    const waitMs = waitOf(notice, this.#nowMs());
    if (this.#settled.delete(key)) notice.done();
    else if (this.#inHand.has(key)) this.#inHand.set(key, notice);
    else if (waitMs > 0) notice.later(waitMs);
    else if (this.#looking.size >= LOOKS_MAX) notice.later(LATER_MS);
    else this.#lookAt(notice);
  }

  #lookAt(notice: ClaimNotice): void {
    const looking = this.#look(notice)
      .then(
        () => notice.done(),
        () => notice.later(LATER_MS),
      )
      .finally(() => this.#looking.delete(looking));
    this.#looking.add(looking);
  }

  /** Resolves when nothing is being looked at. */
  async idle(): Promise<void> {
    await Promise.all(this.#looking);
  }
}

function keyOf({ tenant, call }: CallName): string {
  return `${tenant}.${call}`;
}
