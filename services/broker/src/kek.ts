/**
 * Credentials at rest: AES-256-GCM under one key-encryption key, which no other process holds.
 *
 * K1. Every encryption uses a fresh random 96-bit nonce: NIST SP 800-38D allows 2^32 of them under one key, far more
 *     than there are credentials.
 * K2. The credential's name is authenticated: an entry copied under another name does not decrypt.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type CredentialEntry, Fault, idSchema } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { z } from 'zod';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Servers commonly accept 8 KiB for one header line. A longer credential could not be sent. */
const VALUE_BYTES_MAX = 8_192;
/** A key file has about a hundred bytes. A larger file is something else. */
const FILE_BYTES_MAX = 4_096;

const kekFileSchema = z.strictObject({
  kekId: idSchema,
  key: z.base64url().transform((encoded, context) => {
    const bytes = Buffer.from(encoded, 'base64url');
    if (bytes.length === KEY_BYTES) return createSecretKey(bytes);
    context.addIssue({ code: 'custom', message: `must be ${KEY_BYTES} bytes in base64url` });
    return z.NEVER;
  }),
});

/** A key-encryption key and its name. */
export interface Kek {
  kekId: string;
  key: KeyObject;
}

/**
 * Reads the key-encryption key. Throws `configuration_invalid`, without quoting the file, when it is missing or
 * malformed.
 */
export async function readKek(path: string): Promise<Kek> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > FILE_BYTES_MAX) throw new Error('The file is too long.');
    return kekFileSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it cannot be read as JSON';
    throw new Fault('configuration_invalid', {
      detail: `INTERLOCK_KEK_FILE: the key-encryption key cannot be used: ${reason}.`,
    });
  }
}

/** Encrypts a credential. Throws `configuration_invalid` for a value that could not be sent in a request. */
export function encryptCredential(name: string, value: Secret, kek: Kek, nowMs: number): CredentialEntry {
  const bytes = Buffer.from(value.reveal(), 'utf8');
  assertSendable(bytes);
  // K1
  const nonce = randomBytes(NONCE_BYTES);
  // K2
  const cipher = createCipheriv('aes-256-gcm', kek.key, nonce).setAAD(Buffer.from(name));
  const ciphertext = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  return {
    name,
    kekId: kek.kekId,
    nonce: nonce.toString('base64url'),
    ciphertext: ciphertext.toString('base64url'),
    setAt: nowMs,
  };
}

/** Decrypts a credential. Throws `credential_unusable` when it is altered, of another name or under another key. */
export function decryptCredential(name: string, entry: CredentialEntry, kek: Kek): Secret {
  if (entry.kekId !== kek.kekId || entry.name !== name) throw new Fault('credential_unusable');
  const nonce = Buffer.from(entry.nonce, 'base64url');
  const box = Buffer.from(entry.ciphertext, 'base64url');
  if (nonce.length !== NONCE_BYTES || box.length <= TAG_BYTES) throw new Fault('credential_unusable');
  try {
    const decipher = createDecipheriv('aes-256-gcm', kek.key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(name))
      .setAuthTag(box.subarray(box.length - TAG_BYTES));
    const plain = Buffer.concat([decipher.update(box.subarray(0, box.length - TAG_BYTES)), decipher.final()]);
    return new Secret(plain.toString('utf8'));
  } catch (cause) {
    throw new Fault('credential_unusable', { cause });
  }
}

/** Reads a credential's bytes as text. Throws `configuration_invalid` when they are not UTF-8. */
export function readCredential(bytes: Uint8Array): Secret {
  try {
    return new Secret(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw unfit('A credential must be text in UTF-8.');
  }
}

function assertSendable(bytes: Buffer): void {
  if (bytes.length < 1 || bytes.length > VALUE_BYTES_MAX)
    throw unfit(`A credential must have 1 to ${VALUE_BYTES_MAX} bytes.`);
  if (bytes.includes(0x0d) || bytes.includes(0x0a) || bytes.includes(0x00))
    throw unfit('A credential must not contain CR, LF or NUL.');
}

function unfit(detail: string): Fault {
  return new Fault('configuration_invalid', { detail });
}
