import { format, inspect } from 'node:util';
import { Fault } from '@interlock/contracts';
import { expect, test } from 'vitest';
import { Secret } from './secret.ts';

const value = 'hunter2-hunter2';

test.each<[string, (secret: Secret) => string]>([
  ['printed', (secret) => String(secret)],
  ['put into a text', (secret) => `${secret}`],
  ['added to a text', (secret) => ['is ', secret].join('')],
  ['written as JSON', (secret) => JSON.stringify({ deep: [{ secret }] })],
  ['inspected', (secret) => inspect({ deep: { secret } }, { depth: 9, showHidden: true, getters: true })],
  ['formatted', (secret) => format('%s %o %j', secret, secret, secret)],
  ['listed by its members', (secret) => JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret)])],
  ['copied', (secret) => JSON.stringify({ ...secret })],
  ['the cause of an error', (secret) => inspect(new Fault('internal', { cause: { secret } }), { depth: 9 })],
])('[P-secret-nowhere] a secret is not printed when it is %s', (_how, shown) => {
  expect(shown(new Secret(value))).not.toContain('hunter2');
});

test('[P-secret-nowhere] a secret cannot be cloned out of the process', () => {
  expect(JSON.stringify(structuredClone({ secret: new Secret(value) }))).not.toContain('hunter2');
});

test('a secret is returned by reveal', () => {
  expect(new Secret(value).reveal()).toBe(value);
});
