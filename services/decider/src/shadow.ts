/** The candidate policy: asked after the one that decides, without effect (docs/decisions/018). */
import { type DecisionRecord, Fault, type PolicyAnswer, type PolicyInput } from '@interlock/contracts';
import type { LoadedPolicy } from '@interlock/policy';
import type { Clock } from '@interlock/shell';

/** A candidate that fails so often in a row would slow every call down, so it rests between two attempts. */
const FAILURES_MAX = 5;
const REST_MS = 10_000;

/** How a candidate disagreed. The verdict is `error` when it gave no well-formed answer. */
export type Disagreement = NonNullable<DecisionRecord['shadow']>;

export class Shadow {
  readonly #candidate: () => LoadedPolicy | undefined;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #failing: { digest: string; times: number; restUntilMs: number } | undefined;

  constructor(candidate: () => LoadedPolicy | undefined, clock: Pick<Clock, 'monotonicMs'>) {
    this.#candidate = candidate;
    this.#clock = clock;
  }

  /** Returns the candidate's answer when its verdict is another one than was given. */
  ask(input: PolicyInput, given: PolicyAnswer['verdict']): Disagreement | undefined {
    const candidate = this.#candidate();
    if (candidate === undefined || this.#rests(candidate.digest)) return undefined;
    const named = { policyDigest: candidate.digest, policyVersion: candidate.version };
    try {
      const { verdict, reasons } = candidate.policy.evaluate(input);
      this.#failing = undefined;
      return verdict === given ? undefined : { ...named, verdict, reasons };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#failed(candidate.digest);
      return { ...named, verdict: 'error', reasons: [] };
    }
  }

  #rests(digest: string): boolean {
    return this.#failing?.digest === digest && this.#failing.restUntilMs > this.#clock.monotonicMs();
  }

  #failed(digest: string): void {
    const times = (this.#failing?.digest === digest ? this.#failing.times : 0) + 1;
    const restUntilMs = times < FAILURES_MAX ? 0 : this.#clock.monotonicMs() + REST_MS;
    this.#failing = { digest, times, restUntilMs };
  }
}
