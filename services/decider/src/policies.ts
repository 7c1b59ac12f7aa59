/**
 * Which policy decides. The signed entry `current` names a bundle; its bytes stand beside it.
 *
 * 1. Versions only grow: an entry that is not newer than the newest seen is ignored.
 * 2. A bundle replaces the one held only after it passed every check; until then, and for good when it fails,
 *    the one held stays.
 * 3. A signed removal leaves none, and with none every call is refused.
 */
import type { Blobs, BusLog } from '@interlock/bus';
import { bundleKey, Fault, type PolicyEntry } from '@interlock/contracts';
import { type HeldPolicy, openBundle } from '@interlock/policy';
import type { Clock } from '@interlock/shell';

/** The bytes are written before the entry, so they are missing only while a store catches up or is away. */
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

export interface PoliciesOptions {
  blobs: Pick<Blobs, 'get'>;
  clock: Pick<Clock, 'sleep'>;
  log: BusLog;
  /** Ends the fetching of bundles. */
  signal: AbortSignal;
}

export class Policies {
  readonly #options: PoliciesOptions;
  #held: HeldPolicy | undefined;
  /** The entry that is to decide; none once it was removed. */
  #wanted: PolicyEntry | undefined;
  #newest = 0;
  #rejected: number | undefined;
  #loading: Promise<void> = Promise.resolve();

  constructor(options: PoliciesOptions) {
    this.#options = options;
  }

  /** The policy that decides now, if any. */
  get held(): HeldPolicy | undefined {
    return this.#held;
  }

  /** The version of the newest bundle that was refused, if it is the newest of all. */
  get rejectedVersion(): number | undefined {
    return this.#rejected;
  }

  /** Resolves when the newest bundle was loaded or refused. */
  get loaded(): Promise<void> {
    return this.#loading;
  }

  /** Takes note of the current entry, or of its removal, and resolves when it was loaded or refused. */
  offer(entry: PolicyEntry | undefined): Promise<void> {
    if (entry === undefined) {
      this.#wanted = undefined;
      this.#held = undefined;
      this.#rejected = undefined;
      return this.#loading;
    }
    const newest = this.#newest;
    if (entry.version <= newest) {
      if (entry.version < newest)
        this.#options.log.warn({ version: entry.version, newest }, 'an older policy is ignored');
      return this.#loading;
    }
    this.#newest = entry.version;
    this.#wanted = entry;
    this.#loading = this.#load(entry);
    return this.#loading;
  }

  async #load(entry: PolicyEntry): Promise<void> {
    const { log } = this.#options;
    const { version, digest } = entry;
    try {
      const bytes = await this.#fetch(entry);
      if (bytes === undefined || this.#wanted !== entry) return;
      this.#held = openBundle(entry, bytes);
      this.#rejected = undefined;
      log.info({ version, digest, by: entry.by }, 'policy in force');
    } catch (error) {
      if (this.#wanted !== entry) return;
      this.#rejected = version;
      log.error({ error, version, digest, kept: this.#held?.version }, 'policy refused, the one held stays');
    }
  }

  /** Fetches a bundle's bytes, however long its store is away. Undefined once it is not wanted any more. */
  async #fetch(entry: PolicyEntry): Promise<Uint8Array | undefined> {
    const { blobs, clock, log, signal } = this.#options;
    for (let waitMs = RETRY_MIN_MS; !signal.aborted && this.#wanted === entry; ) {
      try {
        const bytes = await blobs.get(bundleKey(entry.digest));
        if (bytes !== undefined) return bytes;
        log.warn({ version: entry.version }, 'the policy bundle is not there yet');
      } catch (error) {
        if (!(error instanceof Fault && error.retryable)) throw error;
        log.warn({ error, version: entry.version }, 'the policy bundle cannot be read yet');
      }
      await clock.sleep(waitMs, signal).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
    }
    return undefined;
  }
}
