/** What one replica handles at once, of all agents: above that it sheds, because a queue only makes everybody late. */
export class Capacity {
  readonly #requestsMax: number;
  readonly #bytesMax: number;
  #requests = 0;
  #bytes = 0;

  constructor({ requests, bytes }: { requests: number; bytes: number }) {
    this.#requestsMax = requests;
    this.#bytesMax = bytes;
  }

  /** True where a request with a body of so many bytes fits. A body larger than all there is fits while it is alone. */
  fits(bytes: number): boolean {
    const isAlone = this.#requests === 0;
    return this.#requests < this.#requestsMax && (isAlone || this.#bytes + bytes <= this.#bytesMax);
  }

  /** Counts a request until the function that it returns is called, once. */
  take(bytes: number): () => void {
    this.#requests += 1;
    this.#bytes += bytes;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#requests -= 1;
      this.#bytes -= bytes;
    };
  }
}
