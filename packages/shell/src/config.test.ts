import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { commonConfigSchema, listenAddressSchema, readConfig, secretTextSchema } from './config.ts';

const required = {
  NATS_URL: 'nats://127.0.0.1:4222',
  INTERLOCK_KEYS: '/keys',
  INTERLOCK_KEYRING: '/keys/keyring.jws',
  INTERLOCK_ROOT_KEY: 'A'.repeat(43),
};

function complaintOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof Fault && error.code === 'configuration_invalid') return error.detail;
  }
  return 'no complaint';
}

test.each(Object.keys(required))('a start without %s is refused by its name', (name) => {
  const env = { ...required, [name]: undefined };
  expect(complaintOf(() => readConfig(commonConfigSchema, env))).toContain(`${name} is not set: expected `);
});

test('an empty variable counts as unset', () => {
  expect(complaintOf(() => readConfig(commonConfigSchema, { ...required, NATS_URL: '' }))).toBe(
    'NATS_URL is not set: expected nats://host:port, several separated by commas.',
  );
});

test.each([
  ['NATS_URL', 'http://127.0.0.1'],
  ['NATS_URL', 'tls://nats-a:4222,nats://nats-b:4222'],
  ['NATS_URL', 'tls://127.0.0.1:4222'],
  ['NATS_URL', 'tls://[::1]:4222'],
  ['INTERLOCK_NATS_CA_FILE', '/ca.pem'],
  ['INTERLOCK_ROOT_KEY', 'short'],
  ['INTERLOCK_HEALTH_ADDRESS', '127.0.0.1'],
  ['INTERLOCK_HEALTH_ADDRESS', '127.0.0.1:70000'],
  ['INTERLOCK_LOG_LEVEL', 'loud'],
  ['INTERLOCK_REPLICA', 'a.b'],
])('a wrong %s is named together with what was expected', (name, value) => {
  const complaint = complaintOf(() => readConfig(commonConfigSchema, { ...required, [name]: value }));
  expect(complaint).toMatch(new RegExp(`^${name} is wrong: .*(expected|must be)`));
});

test('[P-secret-nowhere] a complaint names every wrong variable and shows no value', () => {
  const schema = z.object({
    STORE_URL: secretTextSchema.refine((url) => url.reveal().startsWith('redis:'), 'expected redis://'),
    STORE_SIZE: z.coerce.number(),
  });
  const env = { STORE_URL: 'http://user:swordfish@host', STORE_SIZE: 'swordfish' };
  const complaint = complaintOf(() => readConfig(schema, env));
  expect(complaint).toContain('STORE_URL is wrong');
  expect(complaint).toContain('STORE_SIZE is wrong');
  expect(complaint).not.toContain('swordfish');
});

test('a configuration cannot be changed once it is read', () => {
  const config = readConfig(z.object({ ADDRESS: listenAddressSchema }), { ADDRESS: '[::1]:80' });
  expect(config).toEqual({ ADDRESS: { host: '::1', port: 80 } });
  expect(Object.isFrozen(config) && Object.isFrozen(config.ADDRESS)).toBe(true);
});

test('variables of others do not disturb a strict schema, transformed or not', () => {
  const schema = z.strictObject({ SIZE: z.coerce.number() }).transform(({ SIZE }) => ({ size: SIZE }));
  expect(readConfig(schema, { SIZE: '5', PATH: '/bin' })).toEqual({ size: 5 });
});

test('[P-nats-tls] servers named by tls:// are taken, with a file of authorities or without', () => {
  const NATS_URL = 'tls://nats-a:4222,tls://nats-b:4222';
  const caFile = { INTERLOCK_NATS_CA_FILE: '/etc/nats/ca.pem' };
  expect(readConfig(commonConfigSchema, { ...required, NATS_URL })).toMatchObject({ NATS_URL });
  expect(readConfig(commonConfigSchema, { ...required, NATS_URL, ...caFile })).toMatchObject(caFile);
});

test('what is not required has a default', () => {
  expect(readConfig(commonConfigSchema, required)).toMatchObject({
    INTERLOCK_HEALTH_ADDRESS: { host: '127.0.0.1', port: 0 },
    INTERLOCK_LOG_LEVEL: 'info',
    INTERLOCK_REPLICA: expect.stringMatching(/^rep_/),
    INTERLOCK_EXIT_WITH_PARENT: false,
  });
});

test('a secret variable is readable only where it is revealed', () => {
  const { PASSWORD } = readConfig(z.object({ PASSWORD: secretTextSchema }), { PASSWORD: 'swordfish' });
  expect(PASSWORD).toBeInstanceOf(Secret);
  expect(PASSWORD.reveal()).toBe('swordfish');
});
