/**
 * One place for a policy: the one that decides, or the candidate beside it.
 *
 * 1. A bundle replaces the one held only after its author's signature verified, its bytes are those the entry names
 *    and it denied every canary; until then, and for good when it fails, the one held stays.
 * 2. A signed removal leaves none.
 */
import type { Blobs, BusLog } from '@interlock/bus';
import { bundleKey, Fault, type PolicyEntry } from '@interlock/contracts';
import type { Keyring } from '@interlock/keys';
import { type HeldPolicy, openBundle, verifyBundle } from '@interlock/policy';
import { BackOff, type Clock } from '@interlock/shell';

/** The bytes are written before the entry, so they are missing only while a store catches up or is away. */
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
/** A store that has caught up and does not have the bytes has lost them: that is told, and they are looked for further. */
const MISSING_MS = 10_000;
/** What a record of it takes. */
const DETAIL_MAX = 1_000;

/** An entry whose bundle was not taken, and why. */
export interface Rejected {
  version: number;
  digest: string;
  detail: string;
}

export interface SlotOptions {
  blobs: Pick<Blobs, 'get'>;
  keyring: Keyring;
  clock: Pick<Clock, 'sleep' | 'nowMs' | 'monotonicMs'>;
  log: BusLog;
  /** Ends the fetching of bundles. */
  signal: AbortSignal;
  /** Told of each entry once its bundle was taken, and each time it is known why not. */
  judged: (entry: PolicyEntry, rejected: Rejected | undefined) => void;
}

export class Slot {
  readonly #options: SlotOptions;
  #held: HeldPolicy | undefined;
  /** The entry whose bundle is to be held; none once it was removed. */
  #wanted: PolicyEntry | undefined;
  #rejected: Rejected | undefined;
  #loading: Promise<void> = Promise.resolve();

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  /** The policy that is held, if any. */
  get held(): HeldPolicy | undefined {
    return this.#held;
  }

  /** Why the newest entry's bundle is not held. */
  get rejected(): Rejected | undefined {
    return this.#rejected;
  }

  /** The version the newest entry names. */
  get wantedVersion(): number | undefined {
    return this.#wanted?.version;
  }

  /** Resolves when the newest entry's bundle was taken or rejected. */
  get loaded(): Promise<void> {
    return this.#loading;
  }

  /** Takes note of a newer entry, or of a removal, and resolves when its bundle was taken or rejected. */
  offer(entry: PolicyEntry | undefined): Promise<void> {
    this.#wanted = entry;
    this.#rejected = undefined;
    if (entry === undefined) this.#held = undefined;
    else this.#loading = this.#load(entry);
    return this.#loading;
  }

  async #load(entry: PolicyEntry): Promise<void> {
    const { keyring, clock } = this.#options;
    try {
      const bytes = await this.#fetch(entry);
      if (bytes === undefined || this.#wanted !== entry) return;
      // Nothing of a module runs before its author is known.
      verifyBundle(entry.signature, keyring, bytes, clock.nowMs());
      this.#held = openBundle(entry, bytes);
      this.#rejected = undefined;
      this.#options.judged(entry, undefined);
    } catch (error) {
      if (this.#wanted === entry) this.#reject(entry, error);
    }
  }

  #reject(entry: PolicyEntry, error: unknown): void {
    const { version, digest } = entry;
    const detail = error instanceof Fault ? error.detail : 'The policy bundle cannot be read.';
    this.#options.log.error(
      { err: error, version, digest, kept: this.#held?.version },
      'policy refused, the one held stays',
    );
    this.#rejected = { version, digest, detail: detail.slice(0, DETAIL_MAX) };
    this.#options.judged(entry, this.#rejected);
  }

  /** Fetches a bundle's bytes, however long its store is away. Undefined once it is not wanted any more. */
  async #fetch(entry: PolicyEntry): Promise<Uint8Array | undefined> {
    const { blobs, clock, signal } = this.#options;
    const giveUpMs = clock.monotonicMs() + MISSING_MS;
    const backOff = new BackOff({ firstMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    while (!signal.aborted && this.#wanted === entry) {
      const found = await this.#read(() => blobs.get(bundleKey(entry.digest)));
      if (found instanceof Uint8Array) return found;
      if (found === 'missing' && clock.monotonicMs() > giveUpMs && this.#rejected === undefined)
        this.#reject(
          entry,
          new Fault('configuration_invalid', { detail: 'The bundle’s bytes are not there.' }),
        );
      await clock.sleep(backOff.next(), signal).catch(() => undefined);
    }
    return undefined;
  }

  async #read(get: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | 'missing' | 'away'> {
    try {
      return (await get()) ?? 'missing';
    } catch (error) {
      if (!(error instanceof Fault && error.retryable)) throw error;
      this.#options.log.warn({ err: error }, 'a policy bundle cannot be read yet');
      return 'away';
    }
  }
}
