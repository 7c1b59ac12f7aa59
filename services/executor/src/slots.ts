import { Fault } from '@interlock/contracts';

/** Counts what is carried out at once. Who finds no slot waits in line. */
export class Slots {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a slot. Throws `dependency_unavailable` when the signal is aborted first: the call goes back. */
  async take(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw gone();
    if (this.#taken < this.#max) {
      this.#taken += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => {
      const index = this.#waiting.indexOf(resolve);
      if (index >= 0) this.#waiting.splice(index, 1);
      reject(gone());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(resolve);
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Gives a slot back, to the next in line where there is one. */
  give(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#taken -= 1;
    if (this.#taken === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  /** Resolves when nothing is being carried out. */
  async idle(): Promise<void> {
    if (this.#taken === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    await promise;
  }
}

function gone(): Fault {
  return new Fault('dependency_unavailable', { detail: 'The executor stops or is busy. Nothing was done.' });
}
