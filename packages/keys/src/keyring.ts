/**
 * The operator's keyring: the public keys of all holders, certified by the operator's root key.
 *
 * K1. A key counts for one holder, for one use, and until its `notAfter`.
 * K2. A keyring is accepted whole or not at all, since the root signs all of it.
 * K3. No error quotes a private key.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  Fault,
  idSchema,
  instantMsSchema,
  type KeyHolder,
  keyHolders,
  newId,
  type ServiceName,
  services,
} from '@interlock/contracts';
import { z } from 'zod';
import { signJws, verifyJws } from './jws.ts';
import { Secret } from './secret.ts';

/** A public key the operator's root certifies: who holds it, and for what. */
export const certifiedKeySchema = z.strictObject({
  keyId: idSchema,
  service: z.enum(keyHolders),
  use: z.enum(['sign', 'seal']),
  /** Raw public key (RFC 8032 or RFC 7748), base64url. */
  publicKey: z.base64url(),
  notAfter: instantMsSchema,
});
export type CertifiedKey = z.infer<typeof certifiedKeySchema>;

const keyringSchema = z.strictObject({
  type: z.literal('keyring'),
  issuedAt: instantMsSchema,
  keys: z.array(certifiedKeySchema).max(256),
});

/** A service's own private keys, as they stand in its key file. */
export const serviceKeysSchema = z.strictObject({
  service: z.enum(services),
  /** NKey seed that logs in to the bus. */
  busSeed: z.string().transform((seed) => new Secret(seed)),
  sign: z.strictObject({ keyId: idSchema, privateKey: z.base64url().transform(privateKeyOf('Ed25519')) }),
  seal: z.strictObject({ keyId: idSchema, privateKey: z.base64url().transform(privateKeyOf('X25519')) }),
});
export type ServiceKeys = z.infer<typeof serviceKeysSchema>;

/** The author's key file: it signs policy bundles and nothing else. */
export const authorKeySchema = z.strictObject({
  holder: z.literal('author'),
  sign: z.strictObject({ keyId: idSchema, privateKey: z.base64url().transform(privateKeyOf('Ed25519')) }),
});
export type AuthorKey = z.infer<typeof authorKeySchema>;

/** The keys that the root certified, by id and by service (K1). */
export class Keyring {
  readonly #keys = new Map<string, { certified: CertifiedKey; key: KeyObject }>();

  constructor(keys: CertifiedKey[]) {
    for (const certified of keys) {
      const curve = certified.use === 'sign' ? 'Ed25519' : 'X25519';
      this.#keys.set(certified.keyId, { certified, key: publicKeyFromRaw(curve, certified.publicKey) });
    }
  }

  /** Returns a certified key that is valid at `nowMs`, or undefined. */
  find(
    keyId: string,
    use: 'sign' | 'seal',
    nowMs: number,
  ): { service: KeyHolder; key: KeyObject } | undefined {
    const held = this.#keys.get(keyId);
    // K1
    if (held === undefined || held.certified.use !== use || held.certified.notAfter <= nowMs)
      return undefined;
    return { service: held.certified.service, key: held.key };
  }

  /** Returns every key that seals for a service and is valid at `nowMs`. */
  sealKeysOf(service: ServiceName, nowMs: number): SealKey[] {
    return [...this.#keys.values()]
      .filter(
        ({ certified }) =>
          certified.service === service && certified.use === 'seal' && certified.notAfter > nowMs,
      )
      .map(({ certified, key }) => ({ keyId: certified.keyId, key }));
  }
}

/** A public key to seal to. */
export interface SealKey {
  keyId: string;
  key: KeyObject;
}

/**
 * Reads a keyring that the operator's root signed.
 * Throws `statement_invalid` when the signature or the shape is wrong.
 */
export function readKeyring(jws: string, rootPublicKey: KeyObject): Keyring {
  return new Keyring(readCertifiedKeys(jws, rootPublicKey));
}

/** Reads the certified keys themselves, so that the operator can add to them. Throws `statement_invalid`. */
export function readCertifiedKeys(jws: string, rootPublicKey: KeyObject): CertifiedKey[] {
  const { payload } = verifyJws(jws, 'interlock-keyring', () => rootPublicKey);
  const parsed = keyringSchema.safeParse(payload);
  // K2
  if (!parsed.success)
    throw new Fault('statement_invalid', { detail: 'The keyring is malformed.', cause: parsed.error });
  return parsed.data.keys;
}

/** Signs a keyring with the operator's root key. */
export function signKeyring(
  keys: CertifiedKey[],
  root: { keyId: string; privateKey: KeyObject },
  nowMs: number,
): string {
  return signJws('interlock-keyring', { type: 'keyring', issuedAt: nowMs, keys }, root);
}

/** Makes a key pair: the raw private key for the key file, and the certified public half. */
export function createKey(
  service: KeyHolder,
  use: 'sign' | 'seal',
  notAfter: number,
): { privateKey: string; certified: CertifiedKey } {
  const { privateKey, publicKey } =
    use === 'sign' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  const keyId = newId(use === 'sign' ? 'sig' : 'box');
  return {
    privateKey: rawPrivateKey(privateKey),
    certified: { keyId, service, use, publicKey: rawPublicKey(publicKey), notAfter },
  };
}

/** Returns the raw 32 bytes of an Ed25519 or X25519 public key, base64url (RFC 8037 `x`). */
export function rawPublicKey(key: KeyObject): string {
  return jwkSchema.parse(key.export({ format: 'jwk' })).x;
}

const jwkSchema = z.object({ x: z.string() });

/** Returns a public key from its raw 32 bytes in base64url. */
export function publicKeyFromRaw(curve: 'Ed25519' | 'X25519', raw: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x: raw }, format: 'jwk' });
}

function rawPrivateKey(key: KeyObject): string {
  return key.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
}

function privateKeyOf(curve: 'Ed25519' | 'X25519') {
  return (encoded: string, context: z.RefinementCtx): KeyObject => {
    try {
      const key = createPrivateKey({ key: Buffer.from(encoded, 'base64url'), format: 'der', type: 'pkcs8' });
      if (key.asymmetricKeyType === curve.toLowerCase()) return key;
    } catch {
      // K3: the error of a wrong key may quote it, so it is dropped. The issue below says what is wrong.
    }
    context.addIssue({ code: 'custom', message: `must be a PKCS #8 ${curve} private key in base64url` });
    return z.NEVER;
  };
}
