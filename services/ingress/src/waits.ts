/**
 * Who waits for which call on this replica. A waiter is opened before the call is published, so that no outcome
 * can come before somebody listens. What is heard is only told to waiters of the same tenant.
 */
import type { EventBody } from '@interlock/contracts';

export type Ended =
  | { step: 'settled'; body: EventBody<'settled'> }
  | { step: 'refused'; body: EventBody<'refused'> };
export type Heard = Ended | { step: 'asked'; body: EventBody<'asked'> };

/** A claim that is made again may send a second body; the digest says which of the two counts. */
const BODIES = 2;

/** One request that waits for one call. */
export interface Waiter extends Disposable {
  readonly waited: Waited;
  /**
   * Resolves when the call ended, or a person is asked and `orAsked` is set; undefined after
   * `timeoutMs`, or when waiting ends because the process does.
   */
  next(timeoutMs: number, orAsked: boolean): Promise<Heard | undefined>;
  /** Resolves with the first body that fits, or undefined after `timeoutMs`. */
  body(fits: (body: Uint8Array) => boolean, timeoutMs: number): Promise<Uint8Array | undefined>;
}

export interface Waited {
  tenant: string;
  agent: string;
  call: string;
}

export type Opened = Waited & {
  /** True for the request that makes the call: it is under way though nothing durable tells of it yet. */
  making: boolean;
};

export class Waits {
  readonly #waiters = new Map<string, Set<OneWaiter>>();
  #drained = false;

  /** True once nobody may wait any more. */
  get drained(): boolean {
    return this.#drained;
  }

  /** Calls that somebody waits for. */
  get size(): number {
    return this.#waiters.size;
  }

  open(waited: Opened): Waiter {
    const group = this.#waiters.get(waited.call) ?? new Set<OneWaiter>();
    this.#waiters.set(waited.call, group);
    const waiter = new OneWaiter(waited, () => {
      group.delete(waiter);
      if (group.size === 0 && this.#waiters.get(waited.call) === group) this.#waiters.delete(waited.call);
    });
    if (this.#drained) waiter.drain();
    group.add(waiter);
    return waiter;
  }

  /** True when an agent's call was made here and somebody still waits for it. */
  has({ tenant, agent, call }: Waited): boolean {
    return [...(this.#waiters.get(call) ?? [])].some(
      (waiter) => waiter.waited.making && waiter.waited.tenant === tenant && waiter.waited.agent === agent,
    );
  }

  hear(heard: Heard): void {
    const { tenant, call } = heard.step === 'asked' ? heard.body.question : heard.body;
    for (const waiter of this.#waiters.get(call) ?? [])
      if (waiter.waited.tenant === tenant) waiter.hear(heard);
  }

  hearBody(call: string, body: Uint8Array): void {
    for (const waiter of this.#waiters.get(call) ?? []) waiter.hearBody(body);
  }

  /** Ends every waiting, now and later. */
  drain(): void {
    this.#drained = true;
    for (const group of this.#waiters.values()) for (const waiter of group) waiter.drain();
  }
}

class OneWaiter implements Waiter {
  readonly waited: Opened;
  readonly #leave: () => void;
  readonly #bodies: Uint8Array[] = [];
  readonly #pending = new Set<() => void>();
  #ended: Ended | undefined;
  #asked: Heard | undefined;
  #drained = false;

  constructor(waited: Opened, leave: () => void) {
    this.waited = waited;
    this.#leave = leave;
  }

  next(timeoutMs: number, orAsked: boolean): Promise<Heard | undefined> {
    return this.#until(() => this.#ended ?? (orAsked ? this.#asked : undefined), timeoutMs);
  }

  body(fits: (body: Uint8Array) => boolean, timeoutMs: number): Promise<Uint8Array | undefined> {
    return this.#until(() => this.#bodies.find(fits), timeoutMs);
  }

  hear(heard: Heard): void {
    if (heard.step === 'asked') this.#asked = heard;
    else this.#ended = heard;
    this.#look();
  }

  hearBody(body: Uint8Array): void {
    if (this.#bodies.length === BODIES) this.#bodies.shift();
    this.#bodies.push(body);
    this.#look();
  }

  drain(): void {
    this.#drained = true;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#leave();
    this.drain();
  }

  #until<T>(find: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    const there = find();
    if (there !== undefined || this.#drained || timeoutMs <= 0) return Promise.resolve(there);
    return new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found !== undefined || this.#drained) finish(found);
      };
      const finish = (found: T | undefined) => {
        clearTimeout(timer);
        this.#pending.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => finish(find()), timeoutMs);
      this.#pending.add(look);
    });
  }

  #look(): void {
    for (const look of this.#pending) look();
  }
}
