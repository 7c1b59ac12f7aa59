import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { expect, test } from 'vitest';
import { describeWithout } from './perform.ts';

const SECRET = 'sk-Live-0c41D9e2-77aa';

test.each([
  ['as it is', `Error POSTing to endpoint (HTTP 400): bad key ${SECRET}`],
  ['as a name, which has no upper case', `getaddrinfo ENOTFOUND ${SECRET.toLowerCase()}.evil.example`],
  ['with dots between', `getaddrinfo ENOTFOUND ${[...SECRET].join('.')}.evil.example`],
  ['cut off', `${'x'.repeat(980)} ${SECRET}`],
  ['as base64', `bad: ${Buffer.from(`u:${SECRET}`).toString('base64')}`],
])('[P-secret-nowhere] an error that quotes the credential %s is logged without it', (_how, text) => {
  const cause = new Error(text, { cause: new Error(`inner ${text}`) });
  const described = JSON.stringify(
    describeWithout(new Fault('upstream_failed', { detail: text, cause }), [new Secret(SECRET)]),
  );
  expect(described).toContain('upstream_failed');
  for (const piece of [
    SECRET,
    SECRET.toLowerCase(),
    'k.-.L.i.v.e',
    'sk-Live-0',
    Buffer.from(SECRET).toString('base64').slice(4, 12),
  ])
    expect(described).not.toContain(piece);
});

test('an error without a credential in it is logged as it is', () => {
  const { message } = describeWithout(new Error('connect ECONNREFUSED'), [new Secret(SECRET)]);
  expect(message).toBe('connect ECONNREFUSED');
});
