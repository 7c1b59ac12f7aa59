import type { EventBody } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { Waits } from './waits.ts';

const A_LONG_TIME_MS = 60_000;

function settled(tenant: string, call = 'c1'): EventBody<'settled'> {
  return {
    tenant,
    agent: 'bot',
    call,
    tool: 'read',
    at: 0,
    outcome: 'succeeded',
    redactions: 0,
    labels: [],
    executor: 'x',
    keepResult: false,
    argumentsDigest: 'a'.repeat(64),
  };
}

const waited = { tenant: 'acme', agent: 'bot', call: 'c1', making: true };

describe('a request that waits', () => {
  test("gets no event of another tenant's call with the same id", async () => {
    const waits = new Waits();
    using waiter = waits.open(waited);
    waits.deliver({ step: 'settled', body: settled('other') });
    expect(await waiter.next(1, true)).toBeUndefined();
  });

  test('gets an outcome that was delivered before it waited, and one that is delivered later', async () => {
    const waits = new Waits();
    using early = waits.open(waited);
    const later = early.next(A_LONG_TIME_MS, true);
    waits.deliver({ step: 'settled', body: settled('acme') });
    expect((await later)?.step).toBe('settled');
    expect((await early.next(0, true))?.step).toBe('settled');
  });

  test('gets only the body that fits', async () => {
    const waits = new Waits();
    using waiter = waits.open(waited);
    const right = waiter.body((body) => body[0] === 1, A_LONG_TIME_MS);
    waits.deliverBody('c1', Uint8Array.of(2));
    waits.deliverBody('c1', Uint8Array.of(1));
    expect(await right).toEqual(Uint8Array.of(1));
  });

  test('stops waiting when the process stops, as do all later ones', async () => {
    const waits = new Waits();
    using waiter = waits.open(waited);
    const never = waiter.next(A_LONG_TIME_MS, true);
    waits.drain();
    expect(await never).toBeUndefined();
    using late = waits.open({ ...waited, call: 'c2' });
    expect(await late.next(A_LONG_TIME_MS, true)).toBeUndefined();
  });

  test('is forgotten when it ends', () => {
    const waits = new Waits();
    {
      using _waiter = waits.open(waited);
      expect(waits.has(waited)).toBe(true);
      expect(waits.has({ ...waited, agent: 'other' })).toBe(false);
    }
    expect(waits.size).toBe(0);
  });
});
