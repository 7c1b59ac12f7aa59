import { expect, test } from 'vitest';
import { BackOff } from './back-off.ts';

test('waits double up to the longest, and start anew after a reset', () => {
  const backOff = new BackOff({ firstMs: 200, maxMs: 500 });
  expect([backOff.next(), backOff.next(), backOff.next(), backOff.next()]).toEqual([200, 400, 500, 500]);
  backOff.reset();
  expect(backOff.next()).toBe(200);
});
