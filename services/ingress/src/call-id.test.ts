import { idSchema } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { callIdOf, readIdempotencyKey } from './call-id.ts';

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
