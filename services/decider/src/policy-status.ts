/** What this replica holds, for everybody to see: its policyStatus, and what it tells on CONTROL. */
import type { AuditStreams, BusLog, Records } from '@interlock/bus';
import { Fault, type PolicyStatus } from '@interlock/contracts';
import { type Clock, type Repeating, repeat } from '@interlock/shell';
import type { Judgement, Policies } from './policies.ts';

/** A policyStatus is forgotten after three of these. */
const REFRESH_MS = 30_000;
/** What cannot be told is tried again for as long as an outage may last; the policyStatus says it afterwards all the same. */
const TELL_TRIES = 30;
const TELL_RETRY_MS = 1_000;

export interface HeraldOptions {
  replica: string;
  bus: AuditStreams;
  policyStatuses: Pick<Records<PolicyStatus>, 'put' | 'remove'>;
  clock: Clock;
  log: BusLog;
}

/** Writes the policyStatus now and then, and tells of each judgement. Telling twice is harmless: it is the same judgement. */
export class PolicyStatusReporter implements AsyncDisposable {
  readonly #options: HeraldOptions;
  readonly #stopping = new AbortController();
  #writing: Repeating | undefined;

  constructor(options: HeraldOptions) {
    this.#options = options;
  }

  /** Begins to write the policyStatus of these policies. */
  follow(policies: Pick<Policies, 'held' | 'candidate' | 'rejected'>): void {
    const task = 'writing the policy status';
    this.#writing = repeat({ ...this.#options, task, waitMs: REFRESH_MS }, () => this.#write(policies));
  }

  /** Tells of a judgement, and writes the policyStatus as it is since. */
  judged(judgement: Judgement): void {
    this.#writing?.wake();
    void this.#tell(judgement);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#writing?.[Symbol.asyncDispose]();
    // Whoever leaves in order is not waited for.
    await this.#options.policyStatuses
      .remove(this.#options.replica)
      .catch((error: unknown) => this.#failed(error));
  }

  async #write({
    held,
    candidate,
    rejected,
  }: Pick<Policies, 'held' | 'candidate' | 'rejected'>): Promise<void> {
    const { policyStatuses, replica, clock } = this.#options;
    const policyStatus: PolicyStatus = {
      replica,
      ...(held === undefined ? {} : { current: nameOf(held) }),
      ...(candidate === undefined ? {} : { candidate: nameOf(candidate) }),
      rejected,
      at: clock.nowMs(),
    };
    await policyStatuses.put(replica, policyStatus, 'any');
  }

  async #tell({ verb, name, detail }: Judgement): Promise<void> {
    const { bus, replica, clock, log } = this.#options;
    const act = { kind: 'policy', verb, tenant: 'all', name, by: replica, at: clock.nowMs() };
    for (let attempt = 1; attempt <= TELL_TRIES && !this.#stopping.signal.aborted; attempt += 1) {
      try {
        return await bus.control(detail === undefined ? act : { ...act, reason: detail });
      } catch (error) {
        if (!(error instanceof Fault) || !error.retryable) return this.#failed(error);
        log.warn({ err: error, verb, name }, 'what became of a policy could not be told yet');
        await clock.sleep(TELL_RETRY_MS, this.#stopping.signal).catch(() => undefined);
      }
    }
  }

  #failed(error: unknown): void {
    this.#options.log.warn({ err: error }, 'the policyStatus could not be told');
  }
}

function nameOf({ version, digest }: { version: number; digest: string }) {
  return { version, digest };
}
