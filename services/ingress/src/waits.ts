/**
 * The requests that wait on this replica, each for one call.
 *
 * W1. A waiter is opened before its call is published, so no outcome can arrive before somebody waits for it.
 * W2. An event is delivered only to waiters of its own tenant.
 */
import type { EventBody } from '@interlock/contracts';

/** A stored event that a request may be answered with. */
export type Ended =
  | { step: 'settled'; body: EventBody<'settled'> }
  | { step: 'refused'; body: EventBody<'refused'> };
export type CallEvent = Ended | { step: 'asked'; body: EventBody<'asked'> };

/** A claim that is made again may send a second body; the digest decides which of the two counts. */
const BODIES = 2;

/** The call a request waits for, and the agent that must own it. */
export interface WaitedCall {
  tenant: string;
  agent: string;
  call: string;
}

export type Opening = WaitedCall & {
  /** True for the request that makes the call: until the call is decided, this replica alone knows of it. */
  making: boolean;
};

/** One request that waits for one call. */
export interface Waiter extends Disposable {
  readonly waited: WaitedCall;
  /**
   * Resolves when the call ended, or when a person is asked and `orAsked` is set; undefined after `timeoutMs`, or
   * when the process stops.
   */
  next(timeoutMs: number, orAsked: boolean): Promise<CallEvent | undefined>;
  /** Resolves with the first body that fits, or undefined after `timeoutMs`. */
  body(fits: (body: Uint8Array) => boolean, timeoutMs: number): Promise<Uint8Array | undefined>;
}

export class Waits {
  readonly #waiters = new Map<string, Set<CallWaiter>>();
  #drained = false;

  /** True once nobody may wait any more. */
  get drained(): boolean {
    return this.#drained;
  }

  /** Calls that at least one request waits for. */
  get size(): number {
    return this.#waiters.size;
  }

  open(opening: Opening): Waiter {
    const group = this.#waiters.get(opening.call) ?? new Set<CallWaiter>();
    this.#waiters.set(opening.call, group);
    const waiter = new CallWaiter(opening, () => {
      group.delete(waiter);
      if (group.size === 0 && this.#waiters.get(opening.call) === group) this.#waiters.delete(opening.call);
    });
    if (this.#drained) waiter.drain();
    group.add(waiter);
    return waiter;
  }

  /** True when an agent's call was made here and a request still waits for it. */
  has({ tenant, agent, call }: WaitedCall): boolean {
    return [...(this.#waiters.get(call) ?? [])].some(
      ({ waited }) => waited.making && waited.tenant === tenant && waited.agent === agent,
    );
  }

  deliver(event: CallEvent): void {
    const { tenant, call } = event.step === 'asked' ? event.body.question : event.body;
    // W2
    for (const waiter of this.#waiters.get(call) ?? [])
      if (waiter.waited.tenant === tenant) waiter.deliver(event);
  }

  deliverBody(call: string, body: Uint8Array): void {
    for (const waiter of this.#waiters.get(call) ?? []) waiter.deliverBody(body);
  }

  /** Ends all waiting, now and later. */
  drain(): void {
    this.#drained = true;
    for (const group of this.#waiters.values()) for (const waiter of group) waiter.drain();
  }
}

class CallWaiter implements Waiter {
  readonly waited: Opening;
  readonly #leave: () => void;
  readonly #bodies: Uint8Array[] = [];
  readonly #checks = new Set<() => void>();
  #ended: Ended | undefined;
  #asked: CallEvent | undefined;
  #drained = false;

  constructor(waited: Opening, leave: () => void) {
    this.waited = waited;
    this.#leave = leave;
  }

  next(timeoutMs: number, orAsked: boolean): Promise<CallEvent | undefined> {
    return this.#until(() => this.#ended ?? (orAsked ? this.#asked : undefined), timeoutMs);
  }

  body(fits: (body: Uint8Array) => boolean, timeoutMs: number): Promise<Uint8Array | undefined> {
    return this.#until(() => this.#bodies.find(fits), timeoutMs);
  }

  deliver(event: CallEvent): void {
    if (event.step === 'asked') this.#asked = event;
    else this.#ended = event;
    this.#check();
  }

  deliverBody(body: Uint8Array): void {
    if (this.#bodies.length === BODIES) this.#bodies.shift();
    this.#bodies.push(body);
    this.#check();
  }

  drain(): void {
    this.#drained = true;
    this.#check();
  }

  [Symbol.dispose](): void {
    this.#leave();
    this.drain();
  }

  #until<T>(find: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    const present = find();
    if (present !== undefined || this.#drained || timeoutMs <= 0) return Promise.resolve(present);
    return new Promise((resolve) => {
      const check = () => {
        const found = find();
        if (found !== undefined || this.#drained) finish(found);
      };
      const finish = (found: T | undefined) => {
        clearTimeout(timer);
        this.#checks.delete(check);
        resolve(found);
      };
      const timer = setTimeout(() => finish(find()), timeoutMs);
      this.#checks.add(check);
    });
  }

  #check(): void {
    for (const check of this.#checks) check();
  }
}
