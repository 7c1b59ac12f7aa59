import type { AgentEntry } from '@interlock/contracts';
import { Buckets } from './buckets.ts';

/** How long an agent waits that has too many requests in flight: a call rarely takes longer. */
const IN_FLIGHT_WAIT_MS = 1_000;

export type Taken = { taken: true; release: () => void } | { taken: false; retryAfterMs: number };

/** Rate and requests in flight of each agent, on the monotonic clock of one replica. */
export class Caps {
  readonly #buckets = new Buckets();
  /** Only agents with requests in flight, so it is bounded by the connections. */
  readonly #inFlight = new Map<string, number>();

  /** Takes a token and counts a request as in flight. `release` ends that, once; the token is spent. */
  take(agentKey: string, caps: AgentEntry['caps'], monotonicMs: number): Taken {
    const inFlight = this.#inFlight.get(agentKey) ?? 0;
    if (inFlight >= caps.inFlight) return { taken: false, retryAfterMs: IN_FLIGHT_WAIT_MS };
    const retryAfterMs = this.spend(agentKey, caps, 1, monotonicMs);
    if (retryAfterMs !== undefined) return { taken: false, retryAfterMs };
    this.#inFlight.set(agentKey, inFlight + 1);
    let released = false;
    const release = () => {
      if (!released) this.#leave(agentKey);
      released = true;
    };
    return { taken: true, release };
  }

  /** Takes more tokens for a request in flight; or takes none, and returns after how many milliseconds there are enough. */
  spend(agentKey: string, caps: AgentEntry['caps'], tokens: number, monotonicMs: number): number | undefined {
    const size = { capacity: caps.burst, perSecond: caps.ratePerSecond };
    const waitMs = this.#buckets.waitMs(agentKey, tokens, size, monotonicMs);
    if (waitMs > 0) return waitMs;
    this.#buckets.take(agentKey, tokens, size, monotonicMs);
    return undefined;
  }

  #leave(agentKey: string): void {
    const left = (this.#inFlight.get(agentKey) ?? 0) - 1;
    if (left > 0) this.#inFlight.set(agentKey, left);
    else this.#inFlight.delete(agentKey);
  }
}
