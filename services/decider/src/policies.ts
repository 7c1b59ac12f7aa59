/**
 * Which policy decides (docs/decisions/013). The signed entry `current` names a bundle; its bytes stand beside it.
 *
 * P1. Only the newest entry counts. Where it is not certain which that is, nothing is decided: while the copy of the
 *     entries may be behind, where a text is not signed or was removed without a signature, and where a version beyond
 *     `current` exists.
 * P2. An older entry in the place of a newer one is recognised and changes nothing.
 * P3. Whatever is wrong with the candidate's entry stops the candidate alone.
 */
import type { EntryWatch, RefusedEntry } from '@interlock/bus';
import { Fault, type PolicyEntry, type PolicyStatus } from '@interlock/contracts';
import type { LoadedPolicy } from '@interlock/policy';
import { BundleLoader, type BundleLoaderOptions, type Rejected } from './bundle-loader.ts';

/** Entries are read again soon after a reconnection: a call waits for that, well within the time it may take. */
const SETTLE_MS = 2_000;
const POLL_MS = 20;
const CANDIDATE = 'candidate';

/** What became of an entry, as it is published on CONTROL. */
export interface PolicyOutcome {
  verb: 'accepted' | 'refused';
  /** The entry's key and, where it names one, its version. */
  name: string;
  detail?: string;
}

export interface PoliciesOptions extends Omit<BundleLoaderOptions, 'onOutcome'> {
  newest: EntryWatch<'policies'>;
  /** Called whenever a bundle or an entry was accepted or refused. */
  onOutcome: (outcome: PolicyOutcome) => void;
}

export class Policies {
  readonly #options: PoliciesOptions;
  readonly #current: BundleLoader;
  readonly #candidate: BundleLoader;
  /** The highest version that was published, as far as the entries show it. */
  #highest = 0;

  constructor(options: PoliciesOptions) {
    this.#options = options;
    const loaderOf = (key: string) =>
      new BundleLoader({
        ...options,
        onOutcome: (entry, rejected) => options.onOutcome(outcomeOf(key, entry, rejected)),
      });
    this.#current = loaderOf('current');
    this.#candidate = loaderOf(CANDIDATE);
    options.newest.onChange((key, entry) => this.#change(key, entry));
    options.newest.onRefused((key, why) => {
      if (why !== undefined) options.onOutcome({ verb: 'refused', name: key, detail: refusalTexts[why] });
    });
  }

  /** The policy that decides now, if any. */
  get current(): LoadedPolicy | undefined {
    return this.doubt === undefined ? this.#current.policy : undefined; // P1
  }

  /** The policy that is asked after it, without effect, if any. */
  get candidate(): LoadedPolicy | undefined {
    return this.#candidate.policy;
  }

  /** Why it is not certain which entry is the newest (P1); undefined when it is certain. */
  get doubt(): string | undefined {
    const { newest } = this.#options;
    if (!newest.current) return 'the copy of the policy entries may be behind';
    for (const [key, why] of newest.refused)
      if (key !== CANDIDATE && why !== 'older') return `${key}: ${refusalTexts[why]}`; // P2, P3
    const { wantedVersion } = this.#current;
    if (wantedVersion !== undefined && wantedVersion < this.#highest)
      return `version ${this.#highest} was published, but the current entry names version ${wantedVersion}`;
    return undefined;
  }

  /** The newest entries whose bundles were rejected. */
  get rejected(): PolicyStatus['rejected'] {
    const of = (as: 'current' | 'candidate', { rejected }: BundleLoader) =>
      rejected === undefined ? [] : [{ as, ...rejected }];
    return [...of('current', this.#current), ...of(CANDIDATE, this.#candidate)];
  }

  /** Resolves when the newest bundles are in use or rejected. */
  get loaded(): Promise<unknown> {
    return Promise.all([this.#current.loaded, this.#candidate.loaded]);
  }

  /** Returns the policy that decides. Waits a moment while entries are being read. Throws `policy_missing`. */
  async inForce(): Promise<LoadedPolicy> {
    const { newest, clock, signal } = this.#options;
    const endMs = clock.monotonicMs() + SETTLE_MS;
    while (!newest.current && clock.monotonicMs() < endMs && !signal.aborted)
      await clock.sleep(POLL_MS, signal).catch(() => undefined);
    const { current } = this;
    if (current === undefined) throw new Fault('policy_missing');
    return current;
  }

  #change(key: string, entry: PolicyEntry | undefined): void {
    if (key === 'current') this.#follow(this.#current, key, entry);
    else if (key === CANDIDATE) this.#follow(this.#candidate, key, entry);
    else this.#highest = Math.max(0, ...versionsIn(this.#options.newest));
  }

  #follow(loader: BundleLoader, key: string, entry: PolicyEntry | undefined): void {
    const { wantedVersion } = loader;
    void loader.follow(entry);
    if (entry === undefined && wantedVersion !== undefined)
      this.#options.onOutcome({
        verb: 'accepted',
        name: key,
        detail: `version ${wantedVersion} was withdrawn`,
      });
  }
}

/** A version that management removed under its signature does not count: that is how a bucket is repaired. */
function versionsIn(newest: EntryWatch<'policies'>): number[] {
  return newest
    .all()
    .filter(({ key, value }) => key === `v-${value.version}`)
    .map(({ value }) => value.version);
}

/** Why a text in the bucket is ignored. */
const refusalTexts = {
  forged: 'the entry is not signed by the console',
  older: 'an older entry was put in its place',
  deleted: 'the entry was removed without a signature',
} as const satisfies Record<RefusedEntry, string>;

function outcomeOf(key: string, { version }: PolicyEntry, rejected: Rejected | undefined): PolicyOutcome {
  const name = `${key} v-${version}`;
  return rejected === undefined
    ? { verb: 'accepted', name }
    : { verb: 'refused', name, detail: rejected.detail };
}
