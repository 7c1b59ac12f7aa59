/** An operator's root and the keys it certifies, for tests of statements, keyrings and boxes. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type KeyHolder, keyHolders } from '@interlock/contracts';
import type { SigningKey } from './jws.ts';
import { type CertifiedKey, createKey, type Keyring, readKeyring, signKeyring } from './keyring.ts';

export const nowMs = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

interface Held {
  certified: CertifiedKey;
  keyId: string;
  privateKey: KeyObject;
}

/** Makes a root and a signing and a sealing key for each service. */
export function createKeys(notAfterMs = nowMs + HOUR_MS) {
  const root = generateKeyPairSync('ed25519');
  const held = new Map<string, Held>();
  for (const service of keyHolders) {
    for (const use of ['sign', 'seal'] as const) {
      const { privateKey, certified } = createKey(service, use, notAfterMs);
      const key = createPrivateKey({
        key: Buffer.from(privateKey, 'base64url'),
        format: 'der',
        type: 'pkcs8',
      });
      held.set(`${service} ${use}`, { certified, keyId: certified.keyId, privateKey: key });
    }
  }
  const certified = [...held.values()].map((one) => one.certified);
  const jws = signKeyring(certified, { keyId: 'root', privateKey: root.privateKey }, nowMs);
  const find = (name: string): Held => {
    const found = held.get(name);
    if (found === undefined) throw new Error(`there is no key ${name}`);
    return found;
  };
  const keyring: Keyring = readKeyring(jws, root.publicKey);
  return {
    root,
    certified,
    jws,
    keyring,
    signingKeyOf: (service: KeyHolder): SigningKey => find(`${service} sign`),
    sealingKeyOf: (service: KeyHolder): SigningKey => find(`${service} seal`),
  };
}
