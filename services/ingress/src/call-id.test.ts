import { idSchema } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { callIdGivenAt, callIdOf, newCallId, readIdempotencyKey } from './call-id.ts';

const key = new Secret('A'.repeat(43));
const origin = { tenant: 'acme', agent: 'bot', idempotencyKey: 'k', attempt: 0 };

describe('an Idempotency-Key', () => {
  test.each(['', 'a b', 'é', 'a\tb', 'x'.repeat(256)])('%j is refused', (header) => {
    expect(() => readIdempotencyKey(header)).toThrow('header_invalid');
  });

  test('may be any 255 visible characters, or absent', () => {
    expect(readIdempotencyKey('~!|'.repeat(85))).toBe('~!|'.repeat(85));
    expect(readIdempotencyKey(undefined)).toBeUndefined();
  });

  test('[P-idempotency-key] names the same call every time, in an identifier', () => {
    expect(callIdOf(origin, key)).toBe(callIdOf({ ...origin }, key));
    expect(idSchema.safeParse(callIdOf(origin, key)).success).toBe(true);
  });

  test.each([
    { tenant: 'other' },
    { agent: 'other' },
    { idempotencyKey: 'other' },
    { attempt: 1 },
    { idempotencyKey: 'k|0' },
  ])('names another call for %j', (change) => {
    expect(callIdOf({ ...origin, ...change }, key)).not.toBe(callIdOf(origin, key));
  });

  test('names another call under another secret, so that nobody can compute it', () => {
    expect(callIdOf(origin, new Secret('B'.repeat(43)))).not.toBe(callIdOf(origin, key));
  });
});

describe('the id of a call without an Idempotency-Key', () => {
  const owner = { tenant: 'acme', agent: 'bot' };
  const given = newCallId(owner, 1_234_567_890_123, key);

  test.each([
    ['an agent that it was not given to', given, { ...owner, agent: 'other' }],
    ['the same agent of another tenant', given, { ...owner, tenant: 'other' }],
    ['its agent, where its time was changed', `c_B${given.slice(3)}`, owner],
    ['its agent, where it was cut', given.slice(0, -2), owner],
    ['anybody, where an Idempotency-Key made it', callIdOf(origin, key), owner],
    ['anybody, where it is no id', 'c_1', owner],
  ])('says nothing to %s', (_, call, who) => {
    expect(callIdGivenAt(call, who, key)).toBeUndefined();
  });

  test('says when it was given, to its own agent and under the same secret alone', () => {
    expect(callIdGivenAt(given, owner, key)).toBe(1_234_567_890_123);
    expect(callIdGivenAt(given, owner, new Secret('B'.repeat(43)))).toBeUndefined();
    expect(idSchema.safeParse(given).success).toBe(true);
    expect(newCallId(owner, 1_234_567_890_123, key)).not.toBe(given);
  });
});
