import type { AgentEntry } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';

/** How long an agent waits that has too many requests in flight: a call rarely takes longer. */
const IN_FLIGHT_WAIT_MS = 1_000;
/**
 * Agents whose tokens are counted. Above that, the agent that sent nothing for the longest time is forgotten, and starts
 * with a full bucket again; its requests in flight are still counted.
 */
const AGENTS = 10_000;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

export type Taken = { taken: true; release: () => void } | { taken: false; retryAfterMs: number };

/** Rate and requests in flight of each agent, on the monotonic clock of one replica. */
export class Caps {
  readonly #buckets = new LRUCache<string, Bucket>({ max: AGENTS });
  /** Only agents with requests in flight, so it is bounded by the connections. */
  readonly #inFlight = new Map<string, number>();

  /** Takes a token and counts a request as in flight. `release` ends that, once; the token is spent. */
  take(agentKey: string, caps: AgentEntry['caps'], monotonicMs: number): Taken {
    const bucket = this.#bucket(agentKey, caps, monotonicMs);
    refill(bucket, caps, monotonicMs);
    const inFlight = this.#inFlight.get(agentKey) ?? 0;
    if (inFlight >= caps.inFlight) return { taken: false, retryAfterMs: IN_FLIGHT_WAIT_MS };
    if (bucket.tokens < 1)
      return { taken: false, retryAfterMs: ((1 - bucket.tokens) / caps.ratePerSecond) * 1_000 };
    bucket.tokens -= 1;
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
    const bucket = this.#bucket(agentKey, caps, monotonicMs);
    refill(bucket, caps, monotonicMs);
    if (bucket.tokens < tokens) return ((tokens - bucket.tokens) / caps.ratePerSecond) * 1_000;
    bucket.tokens -= tokens;
    return undefined;
  }

  #bucket(agentKey: string, caps: AgentEntry['caps'], monotonicMs: number): Bucket {
    const known = this.#buckets.get(agentKey);
    if (known !== undefined) return known;
    const bucket = { tokens: caps.burst, filledAtMs: monotonicMs };
    this.#buckets.set(agentKey, bucket);
    return bucket;
  }

  #leave(agentKey: string): void {
    const left = (this.#inFlight.get(agentKey) ?? 0) - 1;
    if (left > 0) this.#inFlight.set(agentKey, left);
    else this.#inFlight.delete(agentKey);
  }
}

function refill(bucket: Bucket, caps: AgentEntry['caps'], monotonicMs: number): void {
  const earned = ((monotonicMs - bucket.filledAtMs) / 1_000) * caps.ratePerSecond;
  bucket.tokens = Math.min(caps.burst, bucket.tokens + earned);
  bucket.filledAtMs = monotonicMs;
}
