/** Work that is done one after the other, in the order in which it came. Who adds work bounds how much of it waits. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** How much work waits or is under way. */
  get size(): number {
    return this.#size;
  }

  /** Does work after all that came before it, whether that succeeded or failed. Settles as the work does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#size += 1;
    const result = this.#last.then(work).finally(() => {
      this.#size -= 1;
    });
    this.#last = result.catch(() => undefined);
    return await result;
  }

  /** Resolves when all work that has come until now is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
