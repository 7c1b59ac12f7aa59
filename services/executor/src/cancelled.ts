/** Remembered at once; a call lives for minutes at most, so the oldest can be forgotten. */
const CANCELLED_MAX = 10_000;

/** Calls whose agent hung up. It stops only what has not started: an effect under way is not undone by leaving. */
export class Cancelled {
  readonly #calls = new Set<string>();

  hear(call: string): void {
    const [oldest] = this.#calls;
    if (oldest !== undefined && this.#calls.size >= CANCELLED_MAX) this.#calls.delete(oldest);
    this.#calls.add(call);
  }

  has(call: string): boolean {
    return this.#calls.has(call);
  }
}
