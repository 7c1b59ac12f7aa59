import { createTestKeys } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { readKeyring, serviceKeysSchema, signKeyring } from './keyring.ts';

const nowMs = 1_800_000_000_000;
const keys = createTestKeys();
const invalid = expect.objectContaining({ code: 'statement_invalid' });
const found = (service: 'decider', use: 'sign' | 'seal') =>
  keys.certified.find((one) => one.service === service && one.use === use)?.keyId ?? '';

describe('[P-statements-role-bound] a keyring', () => {
  test('that another root signed, or that was changed, is refused', () => {
    expect(() => readKeyring(keys.jws, createTestKeys().root.publicKey)).toThrow(invalid);
    const [head = '', body = '', signature = ''] = keys.jws.split('.');
    const more = JSON.parse(Buffer.from(body, 'base64url').toString()) as { keys: unknown[] };
    more.keys.push(createTestKeys().certified[0]);
    const altered = Buffer.from(JSON.stringify(more)).toString('base64url');
    expect(() => readKeyring(`${head}.${altered}.${signature}`, keys.root.publicKey)).toThrow(invalid);
  });

  test('with a key of an unknown holder is refused, though the root signed it', () => {
    const [first] = keys.certified;
    const strange = [{ ...first, service: 'nobody' }] as unknown[];
    const jws = signKeyring(strange as typeof keys.certified, { keyId: 'root', ...keys.root }, nowMs);
    expect(() => readKeyring(jws, keys.root.publicKey)).toThrow(invalid);
  });

  test('returns no key that has expired, is for another use, or is not in it', () => {
    const until = keys.certified[0]?.notAfter ?? 0;
    expect(keys.keyring.find(found('decider', 'sign'), 'sign', until)).toBeUndefined();
    expect(keys.keyring.find(found('decider', 'sign'), 'seal', nowMs)).toBeUndefined();
    expect(keys.keyring.find('nobody', 'sign', nowMs)).toBeUndefined();
    expect(keys.keyring.sealKeysOf('decider', until)).toEqual([]);
    expect(keys.keyring.find(found('decider', 'sign'), 'sign', until - 1)?.service).toBe('decider');
    expect(keys.keyring.sealKeysOf('decider', nowMs).map(({ keyId }) => keyId)).toEqual([
      found('decider', 'seal'),
    ]);
  });
});

test('[P-secret-nowhere] a wrong key file is refused by an error that quotes nothing of it', () => {
  const parsed = serviceKeysSchema.safeParse({
    service: 'decider',
    busSeed: 'SUSEED',
    sign: { keyId: 'k', privateKey: Buffer.from('topsecret').toString('base64url') },
    seal: { keyId: 'k', privateKey: Buffer.from('topsecret').toString('base64url') },
  });
  expect(parsed.success).toBe(false);
  expect(JSON.stringify(parsed.error)).not.toMatch(/SUSEED|topsecret|dG9wc2VjcmV0/);
});
