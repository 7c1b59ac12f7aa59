/** Reports which policies this replica uses: as its policy status, and on CONTROL whenever that changes. */
import type { AuditStreams, BusLog, Records } from '@interlock/bus';
import { Fault, type PolicyStatus } from '@interlock/contracts';
import { type Clock, type Repeating, repeat } from '@interlock/shell';
import type { Policies, PolicyOutcome } from './policies.ts';

/** A policy status expires after three of these. */
const REFRESH_MS = 30_000;
/** As long as an outage may last. What is not published by then stands in the policy status all the same. */
const PUBLISH_TRIES = 30;
const PUBLISH_RETRY_MS = 1_000;

type ReportedPolicies = Pick<Policies, 'current' | 'candidate' | 'rejected'>;

export interface PolicyStatusReporterOptions {
  replica: string;
  bus: AuditStreams;
  policyStatuses: Pick<Records<PolicyStatus>, 'put' | 'remove'>;
  clock: Clock;
  log: BusLog;
}

/** Writes the policy status and publishes outcomes. An outcome may be published twice: both events say the same. */
export class PolicyStatusReporter implements AsyncDisposable {
  readonly #options: PolicyStatusReporterOptions;
  readonly #stopping = new AbortController();
  #writing: Repeating | undefined;

  constructor(options: PolicyStatusReporterOptions) {
    this.#options = options;
  }

  /** Starts writing the policy status. */
  start(policies: ReportedPolicies): void {
    const task = 'writing the policy status';
    this.#writing = repeat({ ...this.#options, task, waitMs: REFRESH_MS }, () => this.#write(policies));
  }

  /** Publishes an outcome, and writes the policy status that results from it. */
  report(outcome: PolicyOutcome): void {
    this.#writing?.wake();
    void this.#publish(outcome);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#writing?.[Symbol.asyncDispose]();
    const { policyStatuses, replica, log } = this.#options;
    // Nobody waits for a replica that has removed its status.
    await policyStatuses
      .remove(replica)
      .catch((error: unknown) => log.warn({ err: error }, 'the policy status was not removed; it expires'));
  }

  async #write({ current, candidate, rejected }: ReportedPolicies): Promise<void> {
    const { policyStatuses, replica, clock } = this.#options;
    const policyStatus: PolicyStatus = {
      replica,
      ...(current === undefined ? {} : { current: nameOf(current) }),
      ...(candidate === undefined ? {} : { candidate: nameOf(candidate) }),
      rejected,
      at: clock.nowMs(),
    };
    await policyStatuses.put(replica, policyStatus, 'any');
  }

  async #publish({ verb, name, detail }: PolicyOutcome): Promise<void> {
    const { bus, replica, clock, log } = this.#options;
    const event = { kind: 'policy', verb, tenant: 'all', name, by: replica, at: clock.nowMs() };
    for (let attempt = 1; attempt <= PUBLISH_TRIES && !this.#stopping.signal.aborted; attempt += 1) {
      try {
        return await bus.control(detail === undefined ? event : { ...event, reason: detail });
      } catch (error) {
        if (!(error instanceof Fault) || !error.retryable) {
          log.warn({ err: error, verb, name }, 'the outcome of a policy entry cannot be published');
          return;
        }
        log.warn({ err: error, verb, name }, 'the outcome of a policy entry is published again');
        await clock.sleep(PUBLISH_RETRY_MS, this.#stopping.signal).catch(() => undefined);
      }
    }
  }
}

function nameOf({ version, digest }: { version: number; digest: string }) {
  return { version, digest };
}
