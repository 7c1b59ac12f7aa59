/**
 * Sealed boxes (`SPEC.md`): content that only the holders of named keys can read. This file draws the secrets that
 * `box.ts` makes a box of, and remembers key agreements: they cost more than all the rest of a box.
 *
 * S1. Every box has a fresh random box key.
 * S2. A sender's key pair lives in memory alone, and for 65,536 boxes.
 */
import {
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { Fault, type Sealed } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';
import { readBox, writeBox } from './box.ts';
import { publicKeyFromRaw, rawPublicKey, type SealKey } from './keyring.ts';

const BOX_KEY_BYTES = 32;
/** S2: whoever reads one sender key out of a process opens no more boxes than these. */
const BOXES_PER_SENDER_KEY = 65_536;
/** Senders that are remembered: every executor that runs, and some that ran. */
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

let currentSender: Sender | undefined;

/** Seals content so that each of the recipients, and nobody else, can open it under the same context. */
export function seal(content: string | Uint8Array, recipients: SealKey[], context: string): Sealed {
  if (recipients.length === 0)
    throw new Fault('internal', { detail: 'A sealed box needs at least one recipient.' });
  const sender = nextSender();
  return writeBox(content, recipients, context, {
    boxKey: randomBytes(BOX_KEY_BYTES),
    sender: sender.publicKey,
    agree: (recipient) => sharedWith(sender, recipient),
  });
}

/** Opens a sealed box with a recipient's private key. Throws `statement_invalid` when it is not for this key, or altered. */
export function unseal(
  sealed: Sealed,
  recipient: { keyId: string; privateKey: KeyObject },
  context: string,
): Buffer {
  return readBox(sealed, recipient.keyId, context, (sender) => agreed(recipient.privateKey, sender));
}

function nextSender(): Sender {
  if (currentSender === undefined || currentSender.boxes >= BOXES_PER_SENDER_KEY) {
    const pair = generateKeyPairSync('x25519');
    currentSender = {
      publicKey: rawPublicKey(pair.publicKey),
      privateKey: pair.privateKey,
      shared: new WeakMap(),
      boxes: 0,
    };
  }
  currentSender.boxes += 1;
  return currentSender;
}

function sharedWith(sender: Sender, recipient: KeyObject): KeyObject {
  const known = sender.shared.get(recipient);
  if (known !== undefined) return known;
  const shared = agree(sender.privateKey, recipient);
  sender.shared.set(recipient, shared);
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
