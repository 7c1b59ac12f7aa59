import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Runs } from './runs.ts';

const GENESIS = 'hash-0';
const linkOf = (sequence: number) => ({ previous: `hash-${sequence - 1}`, hash: `hash-${sequence}` });

function runsOf(sequences: readonly number[], replaced: ReadonlySet<number> = new Set()) {
  const unlinked: number[] = [];
  const runs = new Runs(GENESIS, (sequence) => unlinked.push(sequence));
  for (const sequence of sequences)
    runs.add(sequence, replaced.has(sequence) ? { previous: 'another', hash: 'another' } : linkOf(sequence));
  return { runs, unlinked: unlinked.sort((left, right) => left - right) };
}

/** Numbers from 1 on, in any order. */
const anyOrder = fc.integer({ min: 1, max: 40 }).chain((length) =>
  fc.shuffledSubarray(
    Array.from({ length }, (_, index) => index + 1),
    { minLength: length },
  ),
);

describe('[P-audit-finds-tampering] records of a chain', () => {
  test('are whole in whatever order they come', () => {
    fc.assert(
      fc.property(anyOrder, (sequences) => {
        const { runs, unlinked } = runsOf(sequences);
        expect([unlinked, runs.gaps(), runs.last(), runs.size]).toEqual([[], [], sequences.length, 1]);
      }),
    );
  });

  test('that are missing are found in whatever order the others come', () => {
    fc.assert(
      fc.property(anyOrder, fc.integer({ min: 1, max: 40 }), (sequences, missing) => {
        const rest = sequences.filter((sequence) => sequence !== missing);
        const isInside = missing < Math.max(0, ...rest);
        expect(runsOf(rest).runs.gaps()).toEqual(isInside ? [{ from: missing, to: missing }] : []);
      }),
    );
  });

  test('one of which was replaced are found by the links on both sides of it', () => {
    fc.assert(
      fc.property(anyOrder, fc.nat({ max: 39 }), (sequences, index) => {
        const replaced = sequences[index % sequences.length] ?? 1;
        const found = [replaced, replaced + 1].filter((sequence) => sequence <= sequences.length);
        expect(runsOf(sequences, new Set([replaced])).unlinked).toEqual(found);
      }),
    );
  });

  test('are remembered by the ends of their runs, and not one by one', () => {
    const sequences = Array.from({ length: 10_000 }, (_, index) => index + 1);
    const runs = new Runs(GENESIS, () => undefined);
    for (const sequence of sequences) {
      runs.add(sequence, linkOf(sequence));
      expect(runs.size).toBe(1);
    }
  });
});
