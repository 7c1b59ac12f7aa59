import { LRUCache } from 'lru-cache';

/** A call lives for minutes at most, so the oldest can be forgotten. */
const CANCELLED_MAX = 10_000;

/** Calls whose agent closed the connection. That stops only what has not started: an effect under way is not undone. */
export class Cancelled {
  readonly #calls = new LRUCache<string, true>({ max: CANCELLED_MAX });

  add(call: string): void {
    this.#calls.set(call, true);
  }

  has(call: string): boolean {
    return this.#calls.has(call);
  }
}
