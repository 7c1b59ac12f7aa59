import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { cutUnreadRequests, headMistake, networkOf } from './strict-http.ts';

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

describe('[P-http-strict] a connection whose request was answered before it had arrived', () => {
  test('is cut where the rest does not come, and serves the next request where it came', async () => {
    await using server = createServer((_, response) => void response.end('early'));
    cutUnreadRequests(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const complete = await answeredEarly(server.address());
    const held = await answeredEarly(server.address());
    complete.write('rest');
    // The moment of the first connection passes before that of the second.
    await once(held, 'close');
    complete.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(String(await once(complete, 'data'))).toContain('200 OK');
    await once(complete, 'close');
  });
});

async function answeredEarly(address: ReturnType<Server['address']>): Promise<Socket> {
  if (address === null || typeof address === 'string') throw new TypeError('It has no port.');
  const socket = connect(address.port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n');
  expect(String(await once(socket, 'data'))).toContain('200 OK');
  return socket;
}

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
