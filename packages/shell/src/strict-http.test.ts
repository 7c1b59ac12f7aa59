import { describe, expect, test } from 'vitest';
import { headMistake, networkOf } from './strict-http.ts';

const fine = { method: 'GET', url: '/', httpVersion: '1.1', rawHeaders: ['Host', 'localhost:1'] };

describe('the head of a request', () => {
  test.each([
    ['a header twice that may stand once', { rawHeaders: ['Host', 'a', 'HOST', 'a'] }],
    [
      'an Idempotency-Key twice',
      { rawHeaders: ['Host', 'a', 'Idempotency-Key', 'a', 'idempotency-key', 'b'] },
    ],
    ['a header whose name has an underscore', { rawHeaders: ['Host', 'a', 'Content_Length', '1'] }],
    ['no Host', { rawHeaders: [] }],
    ['a Host with a user', { rawHeaders: ['Host', 'a@b'] }],
    ['a Host of two names', { rawHeaders: ['Host', 'a b'] }],
    ['a target that is no path', { url: 'http://a/' }],
    ['a target with a fragment', { url: '/a#b' }],
    ['an asterisk for another method than OPTIONS', { url: '*' }],
  ])('is refused for %s', (_, change) => {
    expect(headMistake({ ...fine, ...change })).toBeDefined();
  });

  test.each([
    {},
    { rawHeaders: ['host', '[::1]:80', 'Accept', 'a', 'accept', 'b', 'X_Y', 'z'] },
    { rawHeaders: ['Host', 'gateway.example'] },
    { httpVersion: '1.0', rawHeaders: [] },
    { method: 'OPTIONS', url: '*' },
    { url: '/v1/calls/c_1?wait=30' },
  ])('is accepted as %j', (change) => {
    expect(headMistake({ ...fine, ...change })).toBeUndefined();
  });
});

describe('a network address', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::1', '0:0:0:0'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:0:0:ffff::', '2001:db8:0:0'],
    ['fe80::1:2:3:4%eth0', 'fe80:0:0:0'],
  ])('%s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
