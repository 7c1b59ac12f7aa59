import { LRUCache } from 'lru-cache';

/** Keys that are counted. Above that, the one that took nothing for the longest time starts with a full bucket again. */
const KEYS = 10_000;
const SECOND_MS = 1_000;

export interface BucketSize {
  capacity: number;
  perSecond: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** Token buckets by key, on the monotonic clock of one replica. */
export class Buckets {
  readonly #buckets = new LRUCache<string, Bucket>({ max: KEYS });

  /** Returns after how many milliseconds a bucket holds so many tokens; 0 where it does now. */
  waitMs(key: string, tokens: number, size: BucketSize, monotonicMs: number): number {
    const missing = tokens - this.#filled(key, size, monotonicMs).tokens;
    return missing <= 0 ? 0 : (missing / size.perSecond) * SECOND_MS;
  }

  /** Takes tokens that are there. */
  take(key: string, tokens: number, size: BucketSize, monotonicMs: number): void {
    this.#filled(key, size, monotonicMs).tokens -= tokens;
  }

  #filled(key: string, { capacity, perSecond }: BucketSize, monotonicMs: number): Bucket {
    const bucket = this.#buckets.get(key) ?? { tokens: capacity, filledAtMs: monotonicMs };
    const earned = ((monotonicMs - bucket.filledAtMs) / SECOND_MS) * perSecond;
    bucket.tokens = Math.min(capacity, bucket.tokens + earned);
    bucket.filledAtMs = monotonicMs;
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
