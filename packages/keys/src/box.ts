/**
 * The sealed box of `SPEC.md`: how a box is made of its secrets, and how it is opened. Nothing here draws a random
 * byte or keeps a secret, so the same secrets always make the same box; `seal.ts` draws them and is the only caller.
 * Why this is our own: docs/decisions/003.
 *
 * B1. No key encrypts twice: the box key is drawn for one box, the content key is derived from it, and each wrapping
 *     key from the salt, which is derived from it too. So a nonce of zeros repeats under no key.
 * B2. The salt commits to the box key: no box opens to one content for one recipient and to another for the next.
 * B3. Everything in a box and its context is authenticated with the content: sender, salt, the whole list of recipients.
 * B4. A box has one spelling: whatever is written differently does not open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { Fault, type Sealed } from '@interlock/contracts';
import type { SealKey } from './keyring.ts';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
/** B1: safe because every key is used for one encryption. */
const NONCE = Buffer.alloc(12);
const NO_DATA = '';

/** What makes a box the one it is. */
export interface BoxSecrets {
  /** 32 random bytes that are used for no other box. */
  boxKey: Buffer;
  /** The sender's public key, raw, base64url. */
  sender: string;
  /** Returns what the sender's private key agrees on with a recipient's public key. */
  agree: (recipient: KeyObject) => KeyObject;
}

/** Makes a box of its secrets. Whoever calls this draws a new `boxKey` each time. */
export function writeBox(
  content: string | Uint8Array,
  recipients: SealKey[],
  context: string,
  { boxKey, sender, agree }: BoxSecrets,
): Sealed {
  const { contentKey, salt } = derive(boxKey, context);
  const head = {
    sender,
    salt: salt.toString('base64url'),
    recipients: recipients.map(({ keyId, key }) => {
      const wrapping = wrappingKey(agree(key), { salt, sender, context });
      return { keyId, key: encrypt(wrapping, boxKey, NO_DATA).toString('base64url') };
    }),
  };
  return {
    ...head,
    content: encrypt(contentKey, content, associatedData(head, context)).toString('base64url'),
  };
}

/**
 * Opens a box for the holder of the key `keyId`; `agree` returns what that key agrees on with a sender.
 * Throws `statement_invalid` when the box is not addressed to the key, was altered, or was sealed under another context.
 */
export function readBox(
  sealed: Sealed,
  keyId: string,
  context: string,
  agree: (sender: string) => KeyObject,
): Buffer {
  const own = sealed.recipients.find((recipient) => recipient.keyId === keyId);
  if (own === undefined)
    throw new Fault('statement_invalid', { detail: 'The sealed box is not addressed to this key.' });
  try {
    const salt = decode(sealed.salt);
    const wrapping = wrappingKey(agree(sealed.sender), { salt, sender: sealed.sender, context });
    const committed = derive(decrypt(wrapping, decode(own.key), NO_DATA), context);
    // B2: compared before anything is decrypted under the content key.
    if (!timingSafeEqual(committed.salt, salt)) throw new TypeError('The salt is not that of the box key.');
    return decrypt(committed.contentKey, decode(sealed.content), associatedData(sealed, context));
  } catch (cause) {
    throw new Fault('statement_invalid', {
      detail: 'The sealed box cannot be opened: it was altered, or sealed for another key or purpose.',
      cause,
    });
  }
}

/** Derives the two secrets that stand for a box key: what encrypts the content, and what commits to it (B1, B2). */
function derive(boxKey: Buffer, context: string): { contentKey: Buffer; salt: Buffer } {
  const label = JSON.stringify(['interlock box v1 content', context]);
  // A `KeyObject` costs Node half of what bytes do where a key is expected.
  const derived = Buffer.from(hkdfSync('sha256', createSecretKey(boxKey), NO_DATA, label, 2 * KEY_BYTES));
  return { contentKey: derived.subarray(0, KEY_BYTES), salt: derived.subarray(KEY_BYTES) };
}

function wrappingKey(
  shared: KeyObject,
  { salt, sender, context }: { salt: Buffer; sender: string; context: string },
): Buffer {
  const label = JSON.stringify(['interlock box v1 key', sender, context]);
  return Buffer.from(hkdfSync('sha256', shared, salt, label, KEY_BYTES));
}

/** B3: the head of a box as it is written, not as it decodes. */
function associatedData({ sender, salt, recipients }: Omit<Sealed, 'content'>, context: string): string {
  const list = recipients.map(({ keyId, key }) => [keyId, key]);
  return JSON.stringify(['interlock box v1', context, sender, salt, list]);
}

function encrypt(key: Buffer, content: string | Uint8Array, associated: string): Buffer {
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), NONCE, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(associated));
  const body = typeof content === 'string' ? cipher.update(content, 'utf8') : cipher.update(content);
  return Buffer.concat([body, cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, box: Buffer, associated: string): Buffer {
  const end = box.length - TAG_BYTES;
  if (end < 0) throw new TypeError('The text is shorter than its tag.');
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(associated)).setAuthTag(box.subarray(end));
  return Buffer.concat([decipher.update(box.subarray(0, end)), decipher.final()]);
}

/** B4: the last character may hold bits that belong to no byte; they must be zero. */
function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  const rest = bytes.length % 3;
  const end = rest === 0 ? '' : text.slice(-1 - rest);
  const tail = bytes.subarray(bytes.length - rest);
  if (bytes.length !== Math.floor((text.length * 3) / 4) || tail.toString('base64url') !== end)
    throw new TypeError('The text is not base64url as RFC 4648 writes it.');
  return bytes;
}
