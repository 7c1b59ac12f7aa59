import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, idSchema, newId, type ServiceName, services } from '@interlock/contracts';
import { type CertifiedKey, createKey, rawPublicKey, readCertifiedKeys, signKeyring } from '@interlock/keys';
import { z } from 'zod';
import { writePrivate } from './private-file.ts';

/** AES-256 (FIPS 197) takes a key of 32 bytes. */
const KEK_BYTES = 32;

/** The operator: the root key that certifies every service's keys. */
export interface Operator {
  keyId: string;
  privateKey: KeyObject;
  /** Raw Ed25519 public key in base64url, for INTERLOCK_ROOT_KEY. */
  rootKey: string;
}

/** A file to be written: its path below a folder, and its content. */
export interface IdentityFile {
  path: string;
  content: string;
}

const operatorSchema = z.strictObject({ keyId: idSchema, privateKey: z.base64url() });

/** Makes an operator with a fresh Ed25519 root key. */
export function createOperator(): Operator {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { keyId: newId('root'), privateKey, rootKey: rawPublicKey(publicKey) };
}

/** Returns the operator's own file. Its holder can certify keys: keep it where no service can read it. */
export function operatorFile({ keyId, privateKey }: Operator): IdentityFile {
  const der = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
  return { path: 'operator.json', content: json({ keyId, privateKey: der }) };
}

/** Reads the content of `operatorFile`. Throws `configuration_invalid`. */
export function readOperator(content: string): Operator {
  try {
    const { keyId, privateKey: der } = operatorSchema.parse(JSON.parse(content));
    const privateKey = createPrivateKey({
      key: Buffer.from(der, 'base64url'),
      format: 'der',
      type: 'pkcs8',
    });
    return { keyId, privateKey, rootKey: rawPublicKey(createPublicKey(privateKey)) };
  } catch {
    // What the parsers throw may quote the private key.
    throw new Fault('configuration_invalid', { detail: "The operator's file is malformed." });
  }
}

/**
 * Makes fresh keys for each service that has a seed: `<service>.json` with its private keys, `keyring.jws` with
 * the public halves, signed, and for the broker `broker.kek.json`, which encrypts the credentials at rest.
 * `author.json` signs policy bundles: no service needs it; keep it where policies are written.
 * `seeds` are the NKey seeds that log in to the bus; the keys hold until `notAfterMs`.
 */
export function createIdentities(
  operator: Operator,
  {
    seeds,
    nowMs,
    notAfterMs,
  }: { seeds: Readonly<Partial<Record<ServiceName, string>>>; nowMs: number; notAfterMs: number },
): IdentityFile[] {
  const files: IdentityFile[] = [];
  const certified: CertifiedKey[] = [];
  for (const service of services) {
    const busSeed = seeds[service];
    if (busSeed === undefined) continue;
    const sign = createKey(service, 'sign', notAfterMs);
    const seal = createKey(service, 'seal', notAfterMs);
    certified.push(sign.certified, seal.certified);
    const keys = { service, busSeed, sign: own(sign), seal: own(seal) };
    files.push({ path: `${service}.json`, content: json(keys) });
  }
  if (seeds.broker !== undefined) files.push(createKek());
  return [...files, ...createAuthor(operator, certified, { nowMs, notAfterMs })];
}

/**
 * Makes an author's key for a keyring that certifies none: `author.json`, and `keyring.jws` signed again with it.
 * Returns nothing when an author is certified already: that key is kept elsewhere and stays the only one.
 * Throws `statement_invalid` when the operator did not sign the keyring.
 */
export function addAuthor(
  operator: Operator,
  { keyring, nowMs, notAfterMs }: { keyring: string; nowMs: number; notAfterMs: number },
): IdentityFile[] {
  const certified = readCertifiedKeys(keyring.trim(), createPublicKey(operator.privateKey));
  if (certified.some(({ service }) => service === 'author')) return [];
  return createAuthor(operator, certified, { nowMs, notAfterMs });
}

function createAuthor(
  operator: Operator,
  certified: readonly CertifiedKey[],
  { nowMs, notAfterMs }: { nowMs: number; notAfterMs: number },
): IdentityFile[] {
  const author = createKey('author', 'sign', notAfterMs);
  const keyring = signKeyring([...certified, author.certified], operator, nowMs);
  return [
    { path: 'author.json', content: json({ holder: 'author', sign: own(author) }) },
    { path: 'keyring.jws', content: `${keyring}\n` },
  ];
}

/** Writes files into a folder that only this user may enter (0700), each readable by this user alone (0600). */
export async function writeIdentities(folder: string, files: readonly IdentityFile[]): Promise<void> {
  for (const { path, content } of files) await writePrivate(join(folder, path), content);
  await chmod(folder, 0o700);
}

/** Makes the broker's key-encryption key: `{kekId, key}`, the key as 32 bytes in base64url. */
function createKek(): IdentityFile {
  const kek = { kekId: newId('kek'), key: randomBytes(KEK_BYTES).toString('base64url') };
  return { path: 'broker.kek.json', content: json(kek) };
}

function own({ privateKey, certified }: { privateKey: string; certified: CertifiedKey }) {
  return { keyId: certified.keyId, privateKey };
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
