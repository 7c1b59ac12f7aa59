import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sealContext } from '@interlock/contracts';
import { Secret, seal } from '@interlock/keys';
import { createTestKeys } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answerSeal } from './answer.ts';
import { decryptCredential, encryptCredential, readKek } from './kek.ts';

const kek = { kekId: 'k1', key: createSecretKey(randomBytes(32)) };
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interlock-kek-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('[P-broker-at-rest] a credential at rest', () => {
  test.each([
    ['an empty value', ''],
    ['more than 8192 bytes', 'x'.repeat(8_193)],
    ['a line end', 'a\nb'],
    ['a carriage return', 'a\rb'],
    ['a NUL', 'a\0b'],
  ])('is refused for %s', (_title, value) => {
    expect(() => encryptCredential('blog', new Secret(value), kek, 1)).toThrow('configuration_invalid');
  });

  test('does not decrypt under another name', () => {
    const entry = encryptCredential('blog', new Secret('hunter2'), kek, 1);
    expect(() => decryptCredential('other', { ...entry, name: 'other' }, kek)).toThrow('credential_unusable');
  });

  test('does not decrypt once a bit of it changed, nor under another key', () => {
    const entry = encryptCredential('blog', new Secret('hunter2'), kek, 1);
    const bytes = Buffer.from(entry.ciphertext, 'base64url');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    const changed = { ...entry, ciphertext: bytes.toString('base64url') };
    const otherKek = { kekId: 'k1', key: createSecretKey(randomBytes(32)) };
    expect(() => decryptCredential('blog', changed, kek)).toThrow('credential_unusable');
    expect(() => decryptCredential('blog', entry, otherKek)).toThrow('credential_unusable');
    expect(() => decryptCredential('blog', entry, { ...kek, kekId: 'k2' })).toThrow('credential_unusable');
  });

  test('comes back as it was, holds nothing in clear, and looks different each time', () => {
    const entry = encryptCredential('blog', new Secret('hunter2 ü'), kek, 1);
    expect(decryptCredential('blog', entry, kek).reveal()).toBe('hunter2 ü');
    expect(JSON.stringify(entry)).not.toContain('hunter2');
    expect(encryptCredential('blog', new Secret('hunter2 ü'), kek, 1).ciphertext).not.toBe(entry.ciphertext);
  });
});

describe('setting a credential', () => {
  const keys = createTestKeys();
  const parts = { kek, keys: keys.keysOf('broker'), nowMs: () => 5 };
  const sealedFor = (name: string, value: string | Uint8Array) =>
    seal(value, keys.keyring.sealKeysOf('broker', 5), sealContext('credential', name));

  test('refuses a value that was sealed for another name', () => {
    expect(() => answerSeal(parts, { name: 'other', sealed: sealedFor('blog', 'x') })).toThrow(
      'statement_invalid',
    );
  });

  test('refuses a value that is not text', () => {
    const sealed = sealedFor('blog', Buffer.from([0xff, 0xfe]));
    expect(() => answerSeal(parts, { name: 'blog', sealed })).toThrow('configuration_invalid');
  });

  test('gives an entry that only the key-encryption key opens', () => {
    const entry = answerSeal(parts, { name: 'blog', sealed: sealedFor('blog', 'hunter2') });
    expect(entry).toMatchObject({ name: 'blog', kekId: 'k1', setAt: 5 });
    expect(decryptCredential('blog', entry, kek).reveal()).toBe('hunter2');
  });
});

describe('the file of the key-encryption key', () => {
  test.each([
    ['is not JSON', 'secret-bytes'],
    ['has a short key', JSON.stringify({ kekId: 'k1', key: 'c2hvcnQ' })],
    [
      'has a member too many',
      JSON.stringify({ kekId: 'k1', key: randomBytes(32).toString('base64url'), x: 1 }),
    ],
  ])('is refused without being quoted when it %s', async (title, text) => {
    const path = join(folder, `${title.replaceAll(' ', '-')}.json`);
    await writeFile(path, text);
    const failure = await readKek(path).catch((cause: unknown) => cause);
    expect(failure).toMatchObject({ code: 'configuration_invalid' });
    expect(String(failure)).toContain('INTERLOCK_KEK_FILE');
    expect(String(failure)).not.toContain('secret-bytes');
  });

  test('gives the key and its name', async () => {
    const path = join(folder, 'kek.json');
    const bytes = randomBytes(32);
    await writeFile(path, JSON.stringify({ kekId: 'k9', key: bytes.toString('base64url') }));
    const read = await readKek(path);
    expect(read.kekId).toBe('k9');
    expect(read.key.export()).toEqual(bytes);
  });
});
