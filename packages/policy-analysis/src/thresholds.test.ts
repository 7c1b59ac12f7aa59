import type { Verdict } from '@interlock/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lengthOf, thresholdsOf } from './thresholds.ts';

fc.configureGlobal({ seed: 20_261_121 });

/** Asks above one bound, denies above another. */
const capped = (askAbove: number, denyAbove: number) => (value: number) => {
  if (value > denyAbove) return 'deny';
  return value > askAbove ? 'ask' : 'allow';
};

describe('[P-policy-explain] the bound at which a verdict changes', () => {
  test('is not found where the verdict never changes, or where there is no answer', () => {
    expect(thresholdsOf(250, 'deny', () => 'deny')).toEqual([]);
    expect(thresholdsOf(250, 'deny', () => undefined)).toEqual([]);
    expect(lengthOf(9, 'deny', () => 'deny')).toBeUndefined();
  });

  test('is reported as inclusive where it has the new verdict itself, else as exclusive', () => {
    const strict = (value: number): Verdict => (value < 99.5 ? 'allow' : 'ask');
    expect(thresholdsOf(250.25, 'ask', strict)).toEqual([{ bound: 'less than', to: 99.5, verdict: 'allow' }]);
    expect(thresholdsOf(250, 'ask', strict)).toEqual([{ bound: 'at most', to: 99, verdict: 'allow' }]);
    expect(thresholdsOf(0, 'allow', strict)).toEqual([{ bound: 'more than', to: 99, verdict: 'ask' }]);
  });

  test('is exact for whole numbers and for cents, wherever the caps and the amount are', () => {
    const cents = fc.integer({ min: 1, max: 5_000_000 });
    const scale = fc.constantFrom(1, 100);
    fc.assert(
      fc.property(cents, cents, cents, scale, (cap, above, amount, divisor) => {
        const [askAbove, denyAbove] = [cap / divisor, (cap * 10 + above) / divisor];
        const verdict = capped(askAbove, denyAbove);
        const value = amount / divisor;
        const found = thresholdsOf(value, verdict(value), verdict);
        if (Number.isInteger(value)) for (const { to } of found) expect(Number.isInteger(to)).toBe(true);
        else
          expect(found.map(({ to }) => to).sort((one, other) => one - other)).toEqual([askAbove, denyAbove]);
        expect(found).toHaveLength(2);
      }),
      { numRuns: 300 },
    );
  });

  test('of a list is the length of the longest beginning with another verdict', () => {
    for (const most of [1, 2, 7, 98, 99])
      expect(lengthOf(100, 'deny', (length) => (length <= most ? 'allow' : 'deny'))).toEqual({
        to: most,
        verdict: 'allow',
      });
  });
});
