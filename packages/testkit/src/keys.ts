/** The keys of an installation in memory: an operator's root and everybody it certifies. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type KeyHolder, keyHolders, type ServiceName, services } from '@interlock/contracts';
import {
  type CertifiedKey,
  createKey,
  Keyring,
  readKeyring,
  type ServiceKeys,
  type SigningKey,
  serviceKeysSchema,
  signKeyring,
} from '@interlock/keys';

/** Later than any time of a test's clock. */
const NEVER_MS = 4_000_000_000_000;

export interface TestKeys {
  readonly root: { publicKey: KeyObject; privateKey: KeyObject };
  readonly certified: CertifiedKey[];
  /** The keyring as the operator signed it. */
  readonly jws: string;
  readonly keyring: Keyring;
  /** Returns the keyring as it would be if one service had no key. */
  keyringWithout(service: ServiceName): Keyring;
  /** Returns what stands in a service's key file. */
  keysOf(service: ServiceName): ServiceKeys;
  /** Returns the signing key of a service, or of the author of policy. */
  signingKeyOf(holder: KeyHolder): SigningKey;
}

/** Makes a root, and a signing and a sealing key for every holder. Two calls make two installations that know nothing of each other. */
export function createTestKeys({ notAfterMs = NEVER_MS }: { notAfterMs?: number } = {}): TestKeys {
  const root = generateKeyPairSync('ed25519');
  const made = new Map(
    keyHolders.map((holder) => [
      holder,
      { sign: createKey(holder, 'sign', notAfterMs), seal: createKey(holder, 'seal', notAfterMs) },
    ]),
  );
  const certified = [...made.values()].flatMap(({ sign, seal }) => [sign.certified, seal.certified]);
  const jws = signKeyring(certified, { keyId: 'root', privateKey: root.privateKey }, 0);
  const pairsOf = (holder: KeyHolder) => {
    const pairs = made.get(holder);
    if (pairs === undefined) throw new TypeError(`${holder} holds no keys.`);
    return pairs;
  };
  const keyFiles = new Map(
    services.map((service) => {
      const { sign, seal } = pairsOf(service);
      const file = { service, busSeed: 'unused', sign: privateHalf(sign), seal: privateHalf(seal) };
      return [service, serviceKeysSchema.parse(file)];
    }),
  );
  return {
    root,
    certified,
    jws,
    keyring: readKeyring(jws, root.publicKey),
    keyringWithout: (service) => new Keyring(certified.filter((key) => key.service !== service)),
    keysOf: (service) => {
      const keys = keyFiles.get(service);
      if (keys === undefined) throw new TypeError(`${service} has no key file.`);
      return keys;
    },
    signingKeyOf: (holder) => {
      const { keyId, privateKey } = privateHalf(pairsOf(holder).sign);
      const der = Buffer.from(privateKey, 'base64url');
      return { keyId, privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
    },
  };
}

function privateHalf({ privateKey, certified }: ReturnType<typeof createKey>) {
  return { keyId: certified.keyId, privateKey };
}
