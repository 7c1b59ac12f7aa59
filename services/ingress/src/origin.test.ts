import { describe, expect, test } from 'vitest';
import { originOf } from './origin.ts';

describe('where a request came from', () => {
  test.each([undefined, '', 'unknown', '::ffff:1.2.3', '192.0.2.1, 198.51.100.1'])(
    'is not invented: %s',
    (text) => {
      expect(originOf(text)).toBeUndefined();
    },
  );

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ])('is one address, written one way: %s', (text, address) => {
    expect(originOf(text)).toEqual({ address });
  });
});
