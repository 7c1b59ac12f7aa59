import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  authorKeySchema,
  publicKeyFromRaw,
  readCertifiedKeys,
  signJws,
  signKeyring,
  verifyJws,
} from '@interlock/keys';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadKeyring, loadKeys } from './identity.ts';
import {
  addAuthor,
  createIdentities,
  createOperator,
  operatorFile,
  readOperator,
  writeIdentities,
} from './operator.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;
const SEED = 'SUSWORDFISH';

let folder: string;
const operator = createOperator();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interlock-identity-'));
  await provision(operator);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function provision(by: typeof operator): Promise<void> {
  const seeds = { broker: SEED, executor: SEED };
  const files = createIdentities(by, { seeds, nowMs: NOW_MS, notAfterMs: NOW_MS + YEAR_MS });
  await writeIdentities(folder, files);
}

function keyring(rootKey = operator.rootKey) {
  return loadKeyring({ keyringFile: join(folder, 'keyring.jws'), rootKey });
}

test('[P-statements-role-bound] a keyring signed by another root is refused', async () => {
  await expect(keyring(createOperator().rootKey)).rejects.toMatchObject({
    code: 'configuration_invalid',
    detail: expect.stringContaining('is not a keyring signed by the key in INTERLOCK_ROOT_KEY'),
  });
});

test('a keyring that is not there is named', async () => {
  await rm(join(folder, 'keyring.jws'));
  await expect(keyring()).rejects.toMatchObject({
    detail: expect.stringMatching(/^INTERLOCK_KEYRING: .*keyring.jws/),
  });
});

test('keys that the keyring does not certify are refused', async () => {
  const ring = await keyring();
  await provision(operator);
  await expect(loadKeys('executor', folder, ring, NOW_MS)).rejects.toMatchObject({
    detail: expect.stringContaining('executor.json#/sign: expected a key that the keyring certifies'),
  });
});

test('[P-statements-role-bound] keys past their time are refused', async () => {
  const ring = await keyring();
  await expect(loadKeys('executor', folder, ring, NOW_MS + YEAR_MS)).rejects.toMatchObject({
    detail: expect.stringContaining('for executor and now'),
  });
});

test('a key file of another service is refused', async () => {
  const ring = await keyring();
  await writeFile(join(folder, 'executor.json'), await readFile(join(folder, 'broker.json')));
  await expect(loadKeys('executor', folder, ring, NOW_MS)).rejects.toMatchObject({
    detail: expect.stringContaining('executor.json#/service: expected executor'),
  });
});

test.each([
  ['not JSON', (text: string) => text.slice(1), 'is not JSON'],
  [
    'a wrong key',
    (text: string) => text.replace(/"privateKey": "/, '"privateKey": "AAAA'),
    '#/sign/privateKey: ',
  ],
])('a key file with %s is named without a word of its content', async (_, spoil, complaint) => {
  const path = join(folder, 'executor.json');
  await writeFile(path, spoil(await readFile(path, 'utf8')));
  const error = await loadKeys('executor', folder, await keyring(), NOW_MS).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: 'configuration_invalid', detail: expect.stringContaining(complaint) });
  expect(JSON.stringify(error)).not.toContain(SEED);
});

test('what the operator makes is what a service loads', async () => {
  const ring = await keyring();
  const keys = await loadKeys('executor', folder, ring, NOW_MS);
  expect(keys.busSeed.reveal()).toBe(SEED);
  const jws = signJws('greeting', { hello: 'there' }, keys.sign);
  const verified = verifyJws(jws, 'greeting', (keyId) => ring.find(keyId, 'sign', NOW_MS)?.key);
  expect(verified.payload).toEqual({ hello: 'there' });
  expect(ring.sealKeysOf('executor', NOW_MS)).toHaveLength(1);
});

test('[P-policy-signed] the author’s key is certified for bundles and for no service', async () => {
  const { sign } = authorKeySchema.parse(JSON.parse(await readFile(join(folder, 'author.json'), 'utf8')));
  expect((await keyring()).find(sign.keyId, 'sign', NOW_MS)?.service).toBe('author');
});

test('a keyring without an author gets one and keeps its other keys; one with an author keeps that one', async () => {
  const executor = await loadKeys('executor', folder, await keyring(), NOW_MS);
  const jws = await readFile(join(folder, 'keyring.jws'), 'utf8');
  const times = { nowMs: NOW_MS, notAfterMs: NOW_MS + YEAR_MS };
  expect(addAuthor(operator, { keyring: jws, ...times })).toEqual([]);
  expect(() => addAuthor(createOperator(), { keyring: jws, ...times })).toThrow('statement_invalid');

  const certified = readCertifiedKeys(jws.trim(), publicKeyFromRaw('Ed25519', operator.rootKey));
  const older = signKeyring(
    certified.filter(({ service }) => service !== 'author'),
    operator,
    NOW_MS,
  );
  await writeIdentities(folder, addAuthor(operator, { keyring: older, ...times }));
  const { sign } = authorKeySchema.parse(JSON.parse(await readFile(join(folder, 'author.json'), 'utf8')));
  const ring = await keyring();
  expect(ring.find(sign.keyId, 'sign', NOW_MS)?.service).toBe('author');
  expect(ring.find(executor.sign.keyId, 'sign', NOW_MS)?.service).toBe('executor');
});

test('[P-secret-files] only this user may read the keys', async () => {
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  for (const name of ['executor.json', 'author.json', 'broker.kek.json', 'keyring.jws'])
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
});

test("the broker's key-encryption key has 32 bytes and a name", async () => {
  const kek = JSON.parse(await readFile(join(folder, 'broker.kek.json'), 'utf8'));
  expect(kek).toEqual({ kekId: expect.stringMatching(/^kek_/), key: expect.any(String) });
  expect(Buffer.from(kek.key, 'base64url')).toHaveLength(32);
});

test("an operator's file that was changed is refused without being quoted", () => {
  const { content } = operatorFile(operator);
  expect(() => readOperator(content.slice(0, -20))).toThrow(
    "configuration_invalid: The operator's file is malformed.",
  );
});

test('an operator read back certifies under the same root', async () => {
  await provision(readOperator(operatorFile(operator).content));
  await expect(keyring()).resolves.toBeDefined();
});
