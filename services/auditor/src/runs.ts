/** Which records of one chain were seen, in whatever order: runs without a gap, of which the two ends are remembered. */

/** What a record says of its place in the chain; undefined where it cannot be believed. */
export interface Link {
  previous: string | undefined;
  hash: string | undefined;
}

export interface Gap {
  from: number;
  to: number;
}

interface Run {
  from: number;
  to: number;
  /** What the first record says that it follows. */
  previous: string | undefined;
  /** The hash of the last record. */
  hash: string | undefined;
}

/** A store with more gaps than this was not edited but destroyed; where they are is not remembered any more. */
const RUNS_MAX = 100_000;
const UNLINKED = 'The record does not follow the one before it: one of the two was replaced.';

export class Runs {
  readonly #genesis: string;
  readonly #onUnlinked: (sequence: number, detail: string) => void;
  readonly #byFirst = new Map<number, Run>();
  readonly #byLast = new Map<number, Run>();
  #furthest = 0;

  /** `genesis` is what the first record follows; `onUnlinked` is told of each record that does not follow the one before it. */
  constructor(genesis: string, onUnlinked: (sequence: number, detail: string) => void) {
    this.#genesis = genesis;
    this.#onUnlinked = onUnlinked;
  }

  /** How many ends are remembered. */
  get size(): number {
    return this.#byFirst.size;
  }

  /** Adds the record with a sequence. */
  add(sequence: number, { previous, hash }: Link): void {
    this.#furthest = Math.max(this.#furthest, sequence);
    const before = this.#byLast.get(sequence - 1);
    const after = this.#byFirst.get(sequence + 1);
    if (before === undefined && after === undefined && this.size >= RUNS_MAX) return;
    this.#compare(sequence, sequence === 1 ? this.#genesis : before?.hash, previous);
    if (after !== undefined) this.#compare(sequence + 1, hash, after.previous);
    if (before !== undefined) this.#byLast.delete(before.to);
    if (after !== undefined) this.#byFirst.delete(after.from);
    const run = {
      from: before?.from ?? sequence,
      to: after?.to ?? sequence,
      previous: before === undefined ? previous : before.previous,
      hash: after === undefined ? hash : after.hash,
    };
    this.#byFirst.set(run.from, run);
    this.#byLast.set(run.to, run);
  }

  /** Returns what is missing between the records that were seen, and before the first of them. */
  gaps(): Gap[] {
    const runs = [...this.#byFirst.values()].sort((left, right) => left.from - right.from);
    return runs.flatMap(({ from }, index) => {
      const end = runs[index - 1]?.to ?? 0;
      return from > end + 1 ? [{ from: end + 1, to: from - 1 }] : [];
    });
  }

  /** Returns the highest sequence that was seen; 0 where there was none. */
  last(): number {
    return this.#furthest;
  }

  #compare(sequence: number, hash: string | undefined, previous: string | undefined): void {
    if (hash !== undefined && previous !== undefined && hash !== previous)
      this.#onUnlinked(sequence, UNLINKED);
  }
}
