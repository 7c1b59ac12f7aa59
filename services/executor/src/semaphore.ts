import { Fault } from '@interlock/contracts';

/** Bounds how many calls are carried out at once. Who comes above the bound waits in line. */
export class Semaphore {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Acquires a permit. Throws `dependency_unavailable` when the signal is aborted first: the call is delivered again. */
  async acquire(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw stopped();
    if (this.#held < this.#max) {
      this.#held += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      const index = this.#waiting.indexOf(resolve);
      if (index >= 0) this.#waiting.splice(index, 1);
      reject(stopped());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(resolve);
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Releases a permit, to the next in line where there is one. */
  release(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#held -= 1;
    if (this.#held === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  /** Resolves when no permit is held. */
  async idle(): Promise<void> {
    if (this.#held === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    await promise;
  }
}

function stopped(): Fault {
  return new Fault('dependency_unavailable', {
    detail: 'This executor is stopping. Nothing was done; another one takes the call.',
  });
}
