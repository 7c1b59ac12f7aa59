import { describe, expect, test } from 'vitest';
import { Caps } from './caps.ts';

const caps = { ratePerSecond: 10, burst: 2, inFlight: 2 };

function take(all: Caps, nowMs: number, agent = 'a') {
  return all.take(agent, caps, nowMs);
}

describe("an agent's caps", () => {
  test('[P-ingress-caps] refuse what comes faster than the rate, and say how long to wait', () => {
    const all = new Caps();
    for (const _ of [1, 2]) {
      const taken = take(all, 0);
      if (taken.taken) taken.release();
    }
    expect(take(all, 0)).toEqual({ taken: false, retryAfterMs: 100 });
    expect(take(all, 50)).toEqual({ taken: false, retryAfterMs: 50 });
    expect(take(all, 100).taken).toBe(true);
  });

  test('[P-ingress-caps] refuse the rest of a request that needs more tokens than are left, and take none', () => {
    const all = new Caps();
    take(all, 0);
    expect(all.spend('a', caps, 2, 0)).toBe(100);
    expect(all.spend('a', caps, 1, 0)).toBeUndefined();
    expect(all.spend('a', caps, 1, 0)).toBe(100);
  });

  test('[P-ingress-caps] refuse more calls in flight than allowed, until one has ended', () => {
    const all = new Caps();
    const first = take(all, 0);
    take(all, 0);
    expect(take(all, 10_000).taken).toBe(false);
    if (first.taken) first.release();
    expect(take(all, 10_000).taken).toBe(true);
  });

  test('count a call as ended once, however often it is released', () => {
    const all = new Caps();
    const first = take(all, 0);
    take(all, 0);
    if (first.taken) {
      first.release();
      first.release();
    }
    expect(take(all, 10_000).taken).toBe(true);
    expect(take(all, 20_000).taken).toBe(false);
  });

  test('count calls in flight also of an agent whose tokens are forgotten because of many others', () => {
    const all = new Caps();
    take(all, 0);
    take(all, 0);
    for (let other = 0; other < 10_000; other += 1) take(all, 0, `other-${other}`);
    expect(take(all, 10_000)).toMatchObject({ taken: false });
  });

  test('never have more tokens than the burst, and count agents separately', () => {
    const all = new Caps();
    expect(take(all, 0, 'b').taken).toBe(true);
    const later = [1, 2, 3].map(() => {
      const taken = take(all, 3_600_000);
      if (taken.taken) taken.release();
      return taken.taken;
    });
    expect(later).toEqual([true, true, false]);
  });
});
