/**
 * Loads the bundles that one entry of bucket `policies` names: of `current`, which decides, or of `candidate`.
 *
 * L1. A bundle replaces the one in use only after its author's signature was verified, its bytes were found to be those
 *     the entry names, and it denied every canary. Until then, and for good when it fails, the one in use stays.
 * L2. A signed removal leaves no policy in use.
 */
import type { Blobs, BusLog } from '@interlock/bus';
import { bundleKey, Fault, type PolicyEntry } from '@interlock/contracts';
import type { Keyring } from '@interlock/keys';
import { type LoadedPolicy, openBundle, verifyBundle } from '@interlock/policy';
import { BackOff, type Clock } from '@interlock/shell';

/** The bytes are written before the entry, so they are missing only while a replica of the store catches up. */
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
/** A store that still lacks the bytes then has lost them: the entry is rejected, and reading is tried further. */
const MISSING_MS = 10_000;
/** As many characters as a policy status and a CONTROL event take. */
const DETAIL_MAX = 1_000;

/** An entry whose bundle is not used, and why. */
export interface Rejected {
  version: number;
  digest: string;
  detail: string;
}

export interface BundleLoaderOptions {
  blobs: Pick<Blobs, 'get'>;
  keyring: Keyring;
  clock: Pick<Clock, 'sleep' | 'nowMs' | 'monotonicMs'>;
  log: BusLog;
  /** Ends the fetching of bundles. */
  signal: AbortSignal;
  /** Called for each entry when its bundle is in use, and whenever it is rejected. */
  onOutcome: (entry: PolicyEntry, rejected: Rejected | undefined) => void;
}

export class BundleLoader {
  readonly #options: BundleLoaderOptions;
  #policy: LoadedPolicy | undefined;
  /** The newest entry; undefined once it was removed. */
  #wanted: PolicyEntry | undefined;
  #rejected: Rejected | undefined;
  #loading: Promise<void> = Promise.resolve();

  constructor(options: BundleLoaderOptions) {
    this.#options = options;
  }

  /** The policy in use, if any. */
  get policy(): LoadedPolicy | undefined {
    return this.#policy;
  }

  /** Why the newest entry's bundle is not in use. */
  get rejected(): Rejected | undefined {
    return this.#rejected;
  }

  /** The version the newest entry names. */
  get wantedVersion(): number | undefined {
    return this.#wanted?.version;
  }

  /** Resolves when the newest entry's bundle is in use or rejected. */
  get loaded(): Promise<void> {
    return this.#loading;
  }

  /** Follows a newer entry or its removal. Resolves when the entry's bundle is in use or rejected. */
  follow(entry: PolicyEntry | undefined): Promise<void> {
    this.#wanted = entry;
    this.#rejected = undefined;
    if (entry === undefined)
      this.#policy = undefined; // L2
    else this.#loading = this.#load(entry);
    return this.#loading;
  }

  async #load(entry: PolicyEntry): Promise<void> {
    const { keyring, clock } = this.#options;
    try {
      const bytes = await this.#fetch(entry);
      if (bytes === undefined || this.#wanted !== entry) return;
      // L1: no code of a module runs before its author is known.
      verifyBundle(entry.signature, keyring, bytes, clock.nowMs());
      this.#policy = openBundle(entry, bytes);
      this.#rejected = undefined;
      this.#options.onOutcome(entry, undefined);
    } catch (error) {
      if (this.#wanted === entry) this.#reject(entry, error);
    }
  }

  #reject(entry: PolicyEntry, error: unknown): void {
    const { version, digest } = entry;
    const detail = error instanceof Fault ? error.detail : 'The policy bundle cannot be read.';
    this.#options.log.error(
      { err: error, version, digest, inUse: this.#policy?.version },
      'the policy bundle was rejected; the policy in use stays in use',
    );
    this.#rejected = { version, digest, detail: detail.slice(0, DETAIL_MAX) };
    this.#options.onOutcome(entry, this.#rejected);
  }

  /** Reads a bundle's bytes, however long that takes. Returns undefined once the entry is not the newest any more. */
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
          new Fault('configuration_invalid', { detail: 'The bytes of the bundle are not stored.' }),
        );
      await clock.sleep(backOff.next(), signal).catch(() => undefined);
    }
    return undefined;
  }

  async #read(get: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | 'missing' | 'unreadable'> {
    try {
      return (await get()) ?? 'missing';
    } catch (error) {
      if (!(error instanceof Fault && error.retryable)) throw error;
      this.#options.log.warn({ err: error }, 'the policy bundle could not be read and is read again');
      return 'unreadable';
    }
  }
}
