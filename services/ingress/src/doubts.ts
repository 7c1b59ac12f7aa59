/**
 * Calls whose requests were answered 504 `outcome_unknown` by this replica. Each is asked about again until its outcome is
 * stored, so that what the answer named ends, also where nobody asks for it. After a call's deadline that is a refusal,
 * unless something keeps the call (O1).
 */
import type { BusLog } from '@interlock/bus';
import type { Evidence } from '@interlock/contracts';
import type { Refusing } from '@interlock/gate';
import { type Clock, type Repeating, repeat } from '@interlock/shell';
import type { CallStateSources } from './call-state.ts';
import { settleOverdue } from './overdue.ts';
import type { RefuseParts } from './refuse.ts';
import type { WaitedCall } from './waits.ts';

/** Many more than an outage leaves in doubt; above that the oldest is left to whoever asks for it. */
const CALLS = 2_000;
/** An outage has passed, or has not, within this time. */
const EVERY_MS = 1_000;
/** A store that answers has these many done in a moment, and one that does not costs one attempt. */
const AT_ONCE = 32;

export interface Doubtful {
  who: Refusing['call'];
  evidence: Evidence;
  /** From here on nothing starts, on the monotonic clock. */
  deadlineMs: number;
}

export type DoubtsParts = CallStateSources &
  RefuseParts & { clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>; log: BusLog };

export class Doubts implements AsyncDisposable {
  readonly #calls = new Map<string, Doubtful>();
  readonly #parts: DoubtsParts;
  readonly #settling: Repeating;

  constructor(parts: DoubtsParts) {
    this.#parts = parts;
    const { clock, log } = parts;
    this.#settling = repeat({ clock, log, task: 'settling calls in doubt', waitMs: EVERY_MS }, () =>
      this.#settle(),
    );
  }

  add(doubtful: Doubtful): void {
    const oldest = this.#calls.keys().next();
    if (this.#calls.size >= CALLS && oldest.done !== true) this.#calls.delete(oldest.value);
    this.#calls.set(keyOf(doubtful.who), doubtful);
  }

  /** True while the outcome of an agent's call is in doubt here. */
  has(waited: WaitedCall): boolean {
    return this.#calls.get(keyOf(waited))?.who.agent === waited.agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settling[Symbol.asyncDispose]();
  }

  async #settle(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    const due = [...this.#calls].filter(([, { deadlineMs }]) => deadlineMs <= nowMs).slice(0, AT_ONCE);
    for (const [key, doubtful] of due) {
      await settleOverdue(doubtful, this.#parts);
      this.#calls.delete(key);
    }
  }
}

function keyOf({ tenant, call }: { tenant: string; call: string }): string {
  return `${tenant}.${call}`;
}
