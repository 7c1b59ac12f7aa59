import { describe, expect, test } from 'vitest';
import { Capacity } from './capacity.ts';

describe('what a replica handles at once', () => {
  test('[P-ingress-capacity] is limited in requests and in bytes, and what was answered counts no more', () => {
    const capacity = new Capacity({ requests: 3, bytes: 100 });
    const release = capacity.take(60);
    expect(capacity.fits(41)).toBe(false);
    expect(capacity.fits(40)).toBe(true);
    capacity.take(0);
    capacity.take(0);
    expect(capacity.fits(0)).toBe(false);
    release();
    release();
    expect(capacity.fits(100)).toBe(true);
    capacity.take(0);
    expect(capacity.fits(0)).toBe(false);
  });

  test('takes a body that is larger than its limit while there is no other', () => {
    const capacity = new Capacity({ requests: 3, bytes: 100 });
    expect(capacity.fits(101)).toBe(true);
    capacity.take(0);
    expect(capacity.fits(101)).toBe(false);
  });
});
