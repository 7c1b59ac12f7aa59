/**
 * Sealed boxes: content that only the holders of named keys can read.
 *
 * A random content key encrypts the content with AES-256-GCM; the content key is wrapped for each recipient
 * under HKDF-SHA-256 (RFC 5869) of an X25519 agreement (RFC 7748) with the sender's ephemeral key.
 * Why this is our own: docs/decisions/003.
 * 1. Every box has a fresh random salt and content key, so no (key, nonce) pair is ever used twice.
 * 2. `context` is authenticated: a box sealed for one purpose does not open for another.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { Fault, type Sealed } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';
import { publicKeyFromRaw, rawPublicKey, type SealKey } from './keyring.ts';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE = Buffer.alloc(12);
/** A sender's ephemeral key is replaced after this many boxes. */
const BOXES_PER_SENDER_KEY = 65_536;

/** Senders that are remembered: every executor that is alive, and some that were. */
const SENDERS_REMEMBERED = 64;

interface Sender {
  publicKey: string;
  privateKey: KeyObject;
  /** By the recipient's key, and gone with it: a one-time key leaves nothing behind. */
  shared: WeakMap<KeyObject, KeyObject>;
  boxes: number;
}

/** The public keys of senders. */
const senderKeys = new LRUCache<string, KeyObject>({ max: SENDERS_REMEMBERED });

/** What a recipient's key and a sender's key agreed on; gone with either of them. */
const agreements = new WeakMap<KeyObject, WeakMap<KeyObject, KeyObject>>();

let sender: Sender | undefined;

/** Seals content so that each of the recipients, and nobody else, can open it under the same context. */
export function seal(content: string | Uint8Array, recipients: SealKey[], context: string): Sealed {
  if (recipients.length === 0) throw new Fault('internal', { detail: 'Nothing can be sealed for nobody.' });
  const from = currentSender();
  const salt = randomBytes(KEY_BYTES);
  const contentKey = randomBytes(KEY_BYTES);
  return {
    sender: from.publicKey,
    salt: salt.toString('base64url'),
    recipients: recipients.map((recipient) => ({
      keyId: recipient.keyId,
      key: encrypt(wrappingKey(sharedWith(from, recipient), salt, context), contentKey, context).toString(
        'base64url',
      ),
    })),
    content: encrypt(contentKey, content, context).toString('base64url'),
  };
}

/** Opens a sealed box with a recipient's private key. Throws `statement_invalid` when it is not for this key, or altered. */
export function unseal(
  sealed: Sealed,
  recipient: { keyId: string; privateKey: KeyObject },
  context: string,
): Buffer {
  const own = sealed.recipients.find(({ keyId }) => keyId === recipient.keyId);
  if (own === undefined)
    throw new Fault('statement_invalid', { detail: 'A sealed box is for somebody else.' });
  try {
    const wrapping = wrappingKey(
      agreed(recipient.privateKey, sealed.sender),
      Buffer.from(sealed.salt, 'base64url'),
      context,
    );
    const contentKey = decrypt(wrapping, Buffer.from(own.key, 'base64url'), context);
    return decrypt(contentKey, Buffer.from(sealed.content, 'base64url'), context);
  } catch (cause) {
    throw new Fault('statement_invalid', { detail: 'A sealed box does not open.', cause });
  }
}

function currentSender(): Sender {
  if (sender === undefined || sender.boxes >= BOXES_PER_SENDER_KEY) {
    const pair = generateKeyPairSync('x25519');
    sender = {
      publicKey: rawPublicKey(pair.publicKey),
      privateKey: pair.privateKey,
      shared: new WeakMap(),
      boxes: 0,
    };
  }
  sender.boxes += 1;
  return sender;
}

function sharedWith(from: Sender, recipient: SealKey): KeyObject {
  const known = from.shared.get(recipient.key);
  if (known !== undefined) return known;
  const shared = agree(from.privateKey, recipient.key);
  from.shared.set(recipient.key, shared);
  return shared;
}

/** A sender makes many boxes under one key, so their agreement is worked out once. */
function agreed(privateKey: KeyObject, sender: string): KeyObject {
  const bySender = agreements.get(privateKey) ?? new WeakMap<KeyObject, KeyObject>();
  agreements.set(privateKey, bySender);
  const publicKey = senderKey(sender);
  const known = bySender.get(publicKey);
  if (known !== undefined) return known;
  const shared = agree(privateKey, publicKey);
  bySender.set(publicKey, shared);
  return shared;
}

/** Reading a public key costs almost what an agreement does, and every lease comes from the same few brokers. */
function senderKey(sender: string): KeyObject {
  const known = senderKeys.get(sender);
  if (known !== undefined) return known;
  const key = publicKeyFromRaw('X25519', sender);
  senderKeys.set(sender, key);
  return key;
}

function agree(privateKey: KeyObject, publicKey: KeyObject): KeyObject {
  return createSecretKey(diffieHellman({ privateKey, publicKey }));
}

function wrappingKey(shared: KeyObject, salt: Buffer, context: string): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, salt, `interlock seal ${context}`, KEY_BYTES));
}

/** A `KeyObject` costs Node a quarter of what bytes do where a key is expected. */
function encrypt(key: Buffer, content: string | Uint8Array, context: string): Buffer {
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), NONCE).setAAD(Buffer.from(context));
  const body = typeof content === 'string' ? cipher.update(content, 'utf8') : cipher.update(content);
  return Buffer.concat([body, cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, box: Buffer, context: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), NONCE, {
    authTagLength: TAG_BYTES,
  }).setAAD(Buffer.from(context));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  return Buffer.concat([decipher.update(box.subarray(0, box.length - TAG_BYTES)), decipher.final()]);
}
