/**
 * Which policy decides (docs/decisions/013). The signed entry `current` names a bundle; its bytes stand beside it.
 *
 * 1. Only the newest entry counts. Where it may not be known, nothing is decided: while the copy of the entries is
 *    behind, where a text stands unsigned or was taken away unsigned, and where a version beyond `current` exists.
 * 2. An older entry in the place of a newer one is known as such and changes nothing.
 * 3. What stands in the place of the candidate stops nothing but the candidate.
 */
import type { EntryWatch, RefusedEntry } from '@interlock/bus';
import { Fault, type PolicyEntry, type PolicyStatus } from '@interlock/contracts';
import type { HeldPolicy } from '@interlock/policy';
import { type Rejected, Slot, type SlotOptions } from './slot.ts';

/** Entries are read again soon after the bus came back: a call waits for that, well within the time it is lent. */
const SETTLE_MS = 2_000;
const POLL_MS = 20;
const CANDIDATE = 'candidate';

/** What became of an entry, as it is told on CONTROL. */
export interface Judgement {
  verb: 'accepted' | 'refused';
  /** The entry's key and, where it names one, its version. */
  name: string;
  detail?: string;
}

export interface PoliciesOptions extends Omit<SlotOptions, 'judged'> {
  newest: EntryWatch<'policies'>;
  /** Told whenever a bundle or an entry was taken or refused. */
  judged: (judgement: Judgement) => void;
}

export class Policies {
  readonly #options: PoliciesOptions;
  readonly #current: Slot;
  readonly #candidate: Slot;
  /** The highest version that was ever current. */
  #known = 0;

  constructor(options: PoliciesOptions) {
    this.#options = options;
    const slot = (key: string) =>
      new Slot({
        ...options,
        judged: (entry, rejected) => options.judged(judgementOf(key, entry, rejected)),
      });
    this.#current = slot('current');
    this.#candidate = slot(CANDIDATE);
    options.newest.onChange((key, entry) => this.#change(key, entry));
    options.newest.onRefused((key, why) => {
      if (why !== undefined) options.judged({ verb: 'refused', name: key, detail: refusalTexts[why] });
    });
  }

  /** The policy that decides now, if any. */
  get held(): HeldPolicy | undefined {
    return this.doubt === undefined ? this.#current.held : undefined;
  }

  /** The policy that is asked beside it, if any. */
  get candidate(): HeldPolicy | undefined {
    return this.#candidate.held;
  }

  /** Why the newest entry may not be known. */
  get doubt(): string | undefined {
    const { newest } = this.#options;
    if (!newest.current) return 'the newest policy may not be known';
    for (const [key, why] of newest.refused)
      if (key !== CANDIDATE && why !== 'older') return `${key}: ${refusalTexts[why]}`;
    const { wantedVersion } = this.#current;
    if (wantedVersion !== undefined && wantedVersion < this.#known)
      return `version ${this.#known} was published, and version ${wantedVersion} stands in its place`;
    return undefined;
  }

  /** What was not taken: of each place, the newest. */
  get rejected(): PolicyStatus['rejected'] {
    const of = (as: 'current' | 'candidate', slot: Slot) =>
      slot.rejected === undefined ? [] : [{ as, ...slot.rejected }];
    return [...of('current', this.#current), ...of(CANDIDATE, this.#candidate)];
  }

  /** Resolves when the newest bundles were taken or rejected. */
  get loaded(): Promise<unknown> {
    return Promise.all([this.#current.loaded, this.#candidate.loaded]);
  }

  /** Returns the policy that decides, waiting a moment where entries are just being read. Throws `policy_missing`. */
  async inForce(): Promise<HeldPolicy> {
    const { newest, clock, signal } = this.#options;
    const endMs = clock.monotonicMs() + SETTLE_MS;
    while (!newest.current && clock.monotonicMs() < endMs && !signal.aborted)
      await clock.sleep(POLL_MS, signal).catch(() => undefined);
    const { held } = this;
    if (held === undefined) throw new Fault('policy_missing');
    return held;
  }

  #change(key: string, entry: PolicyEntry | undefined): void {
    if (key === 'current') this.#offer(this.#current, key, entry);
    else if (key === CANDIDATE) this.#offer(this.#candidate, key, entry);
    else this.#known = Math.max(0, ...versionsIn(this.#options.newest));
  }

  #offer(slot: Slot, key: string, entry: PolicyEntry | undefined): void {
    const { wantedVersion } = slot;
    void slot.offer(entry);
    if (entry === undefined && wantedVersion !== undefined)
      this.#options.judged({ verb: 'accepted', name: key, detail: `version ${wantedVersion} was withdrawn` });
  }
}

/** A version that management signed away does not count: it was mended. */
function versionsIn(newest: EntryWatch<'policies'>): number[] {
  return newest
    .all()
    .filter(({ key, value }) => key === `v-${value.version}`)
    .map(({ value }) => value.version);
}

/** What is said of a text that counts for nothing. */
const refusalTexts = {
  forged: 'what stands there is not signed by the management door',
  older: 'an older entry was put in its place',
  deleted: 'it was taken away without a signature',
} as const satisfies Record<RefusedEntry, string>;

function judgementOf(key: string, { version }: PolicyEntry, rejected: Rejected | undefined): Judgement {
  const name = `${key} v-${version}`;
  return rejected === undefined
    ? { verb: 'accepted', name }
    : { verb: 'refused', name, detail: rejected.detail };
}
