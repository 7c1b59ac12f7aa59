import type { AgentEntry } from '@interlock/contracts';

/** How long to wait when every place is taken: a call is rarely longer. */
const PLACE_WAIT_MS = 1_000;
/** Agents remembered at once; past it, those with a full bucket and nothing in flight are forgotten. */
const AGENTS = 10_000;

interface Bucket {
  tokens: number;
  filledAtMs: number;
  inFlight: number;
}

export type Taken = { taken: true; release: () => void } | { taken: false; retryAfterMs: number };

/** Rate and calls in flight of each agent, on the monotonic clock of one replica. */
export class Caps {
  readonly #buckets = new Map<string, Bucket>();

  /** Takes one token and one place. `release` gives the place back, once; the token is spent. */
  take(agentKey: string, caps: AgentEntry['caps'], monotonicMs: number): Taken {
    const bucket = this.#bucket(agentKey, caps, monotonicMs);
    refill(bucket, caps, monotonicMs);
    if (bucket.inFlight >= caps.inFlight) return { taken: false, retryAfterMs: PLACE_WAIT_MS };
    if (bucket.tokens < 1)
      return { taken: false, retryAfterMs: ((1 - bucket.tokens) / caps.ratePerSecond) * 1_000 };
    bucket.tokens -= 1;
    bucket.inFlight += 1;
    let held = true;
    const release = () => {
      if (held) bucket.inFlight -= 1;
      held = false;
    };
    return { taken: true, release };
  }

  /** Takes more tokens for a request that has a place, or none and says how long they take to fill. */
  spend(agentKey: string, caps: AgentEntry['caps'], tokens: number, monotonicMs: number): number | undefined {
    const bucket = this.#bucket(agentKey, caps, monotonicMs);
    refill(bucket, caps, monotonicMs);
    if (bucket.tokens < tokens) return ((tokens - bucket.tokens) / caps.ratePerSecond) * 1_000;
    bucket.tokens -= tokens;
    return undefined;
  }

  #bucket(agentKey: string, caps: AgentEntry['caps'], monotonicMs: number): Bucket {
    const known = this.#buckets.get(agentKey);
    if (known !== undefined) return known;
    if (this.#buckets.size >= AGENTS) this.#forgetIdle(monotonicMs);
    const bucket = { tokens: caps.burst, filledAtMs: monotonicMs, inFlight: 0 };
    this.#buckets.set(agentKey, bucket);
    return bucket;
  }

  /** An agent that was silent for a minute starts with a full bucket, as it would have by then. */
  #forgetIdle(monotonicMs: number): void {
    for (const [agentKey, { inFlight, filledAtMs }] of this.#buckets) {
      if (inFlight === 0 && monotonicMs - filledAtMs > 60_000) this.#buckets.delete(agentKey);
    }
  }
}

function refill(bucket: Bucket, caps: AgentEntry['caps'], monotonicMs: number): void {
  const earned = ((monotonicMs - bucket.filledAtMs) / 1_000) * caps.ratePerSecond;
  bucket.tokens = Math.min(caps.burst, bucket.tokens + earned);
  bucket.filledAtMs = monotonicMs;
}
