/**
 * Claims that nobody settled. The ledger gives notice of every claim, once for all replicas.
 *
 * O1. A notice of a call that this executor settled is done at once; one of a call it is carrying out waits in memory
 *     until the call ends.
 * O2. Any other claim is checked after its limit and a grace. By then nobody sends anything for it any more: limits
 *     run from before the claim was stored, and are checked again before the first byte leaves.
 * O3. What is then unsettled settles as `unknown`, or is claimed again when the tool is idempotent. Both name the
 *     claim's sequence, so one of several executors wins.
 */
import type { ClaimNotice, LedgerEntry } from '@interlock/bus';
import type { Claim } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';

/** Covers the difference between the server's clock and ours, and the time of the last byte on its way. */
const GRACE_MS = 2_000;
/** Claims checked at once; each check is a read or two of the leader. */
const CHECKS_MAX = 16;
/** How long a notice waits when too many are being checked, or its check failed. */
const LATER_MS = 1_000;
/**
 * Remembered until their notice comes, which then needs no reading. Where another executor gets the notice they stay
 * until there are too many.
 */
const SETTLED_MAX = 50_000;

type CallName = { tenant: string; call: string };

/** What to do about a claim past its limit. */
export type OrphanVerdict =
  | { kind: 'done' }
  | { kind: 'restart'; claim: Claim; sequence: number }
  | { kind: 'unknown'; claim: Claim; sequence: number };

/** Decides about a claim past its limit, given the last event of the call on the ledger. */
export function judgeOrphan(step: ClaimNotice['step'], last: LedgerEntry | undefined): OrphanVerdict {
  // Purged, or over, or claimed again: the later claim has a notice of its own.
  if (last === undefined || last.step !== step) return { kind: 'done' };
  const { body: claim, sequence } = last;
  return { kind: step === 'started' && claim.idempotent ? 'restart' : 'unknown', claim, sequence };
}

/** Returns how long until a claim may be checked (O2), 0 when it may be now. */
export function waitOf(
  { storedAtMs, claimMs }: Pick<ClaimNotice, 'storedAtMs' | 'claimMs'>,
  nowMs: number,
): number {
  return Math.max(0, storedAtMs + claimMs + GRACE_MS - nowMs);
}

/** Keeps notices of claims until they are settled. */
export class Orphans {
  readonly #nowMs: () => number;
  readonly #check: (notice: ClaimNotice) => Promise<void>;
  /** Calls that this executor is carrying out, each with its notice once that has come. */
  readonly #underWay = new Map<string, ClaimNotice | undefined>();
  readonly #settled = new LRUCache<string, true>({ max: SETTLED_MAX });
  readonly #checks = new Set<Promise<void>>();

  /** `check` settles a claim past its limit. When it rejects, the notice is delivered again. */
  constructor(nowMs: () => number, check: (notice: ClaimNotice) => Promise<void>) {
    this.#nowMs = nowMs;
    this.#check = check;
  }

  /** Notes that this executor is about to claim a call. Returns false when it is carrying out that call already. */
  begin(call: CallName): boolean {
    const key = keyOf(call);
    if (this.#underWay.has(key)) return false;
    this.#underWay.set(key, undefined);
    return true;
  }

  /** Notes that this executor settled a call. */
  settled(call: CallName): void {
    this.#settled.set(keyOf(call), true);
  }

  /** Notes that this executor does nothing more for a call, settled or not. */
  end(call: CallName): void {
    const key = keyOf(call);
    const notice = this.#underWay.get(key);
    this.#underWay.delete(key);
    if (notice !== undefined) this.add(notice);
  }

  /** Adds a notice. A second notice of the same claim replaces the first or finds it settled. */
  add(notice: ClaimNotice): void {
    const key = keyOf(notice);
    const waitMs = waitOf(notice, this.#nowMs());
    if (this.#settled.delete(key)) notice.done();
    else if (this.#underWay.has(key)) this.#underWay.set(key, notice);
    else if (waitMs > 0) notice.later(waitMs);
    else if (this.#checks.size >= CHECKS_MAX) notice.later(LATER_MS);
    else this.#startCheck(notice);
  }

  #startCheck(notice: ClaimNotice): void {
    const check = this.#check(notice)
      .then(
        () => notice.done(),
        () => notice.later(LATER_MS),
      )
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  /** Resolves when no claim is being checked. */
  async idle(): Promise<void> {
    await Promise.all(this.#checks);
  }
}

function keyOf({ tenant, call }: CallName): string {
  return `${tenant}.${call}`;
}
