/**
 * The sealed box once more, from `SPEC.md` alone and over WebCrypto: it shares no line with `box.ts`, so that where the
 * two agree, the page is right. It also makes boxes no honest sender makes, for the tests that must see them refused.
 */
import { webcrypto } from 'node:crypto';

const { subtle } = webcrypto;

/** A box as it travels. */
export interface SpecBox {
  sender: string;
  salt: string;
  recipients: { keyId: string; key: string }[];
  content: string;
}

/** An X25519 key pair as raw keys in base64url (RFC 8037 `d` and `x`). */
export interface RawPair {
  privateKey: string;
  publicKey: string;
}

/** Opens a box as the page says. Rejects whatever the page says is to be refused. */
export async function openSpecBox(
  box: SpecBox,
  recipient: RawPair & { keyId: string },
  context: string,
): Promise<Uint8Array> {
  const entry = box.recipients.find(({ keyId }) => keyId === recipient.keyId);
  if (entry === undefined) throw new Error('no entry for this key');
  const agreement = await agree(recipient, box.sender);
  const wrapping = await hkdf(agreement, strict(box.salt), ['interlock box v1 key', box.sender, context], 32);
  const boxKey = await gcm('decrypt', wrapping, strict(entry.key), new Uint8Array());
  const derived = await hkdf(boxKey, new Uint8Array(), ['interlock box v1 content', context], 64);
  if (base64url(derived.slice(32)) !== box.salt) throw new Error('the salt is not that of the box key');
  return await gcm('decrypt', derived.slice(0, 32), strict(box.content), associated(box, context));
}

/** What a box is made of; `salt` and `keys` are for senders that do not keep to the page. */
export interface SpecSecrets {
  sender: RawPair;
  boxKey: Uint8Array;
  /** In the place of the salt that is derived from the box key. */
  salt?: Uint8Array;
  /** By key id: in the place of the box key. */
  keys?: Record<string, Uint8Array>;
}

/** Makes a box as the page says. */
export async function makeSpecBox(
  content: Uint8Array,
  recipients: { keyId: string; publicKey: string }[],
  context: string,
  { sender, boxKey, salt, keys = {} }: SpecSecrets,
): Promise<SpecBox> {
  const derived = await hkdf(boxKey, new Uint8Array(), ['interlock box v1 content', context], 64);
  const used = salt ?? derived.slice(32);
  const list: SpecBox['recipients'] = [];
  for (const { keyId, publicKey } of recipients) {
    const label = ['interlock box v1 key', sender.publicKey, context];
    const wrapping = await hkdf(await agree(sender, publicKey), used, label, 32);
    const wrapped = await gcm('encrypt', wrapping, keys[keyId] ?? boxKey, new Uint8Array());
    list.push({ keyId, key: base64url(wrapped) });
  }
  const head = { sender: sender.publicKey, salt: base64url(used), recipients: list };
  const sealed = await gcm('encrypt', derived.slice(0, 32), content, associated(head, context));
  return { ...head, content: base64url(sealed) };
}

function associated({ sender, salt, recipients }: Omit<SpecBox, 'content'>, context: string): Uint8Array {
  const pairs = recipients.map(({ keyId, key }) => [keyId, key]);
  return utf8(['interlock box v1', context, sender, salt, pairs]);
}

async function agree({ privateKey, publicKey }: RawPair, other: string): Promise<Uint8Array> {
  const own = await subtle.importKey(
    'jwk',
    { kty: 'OKP', crv: 'X25519', d: privateKey, x: publicKey },
    'X25519',
    false,
    ['deriveBits'],
  );
  const theirs = await subtle.importKey('raw', strict(other), 'X25519', false, []);
  return new Uint8Array(await subtle.deriveBits({ name: 'X25519', public: theirs }, own, 256));
}

async function hkdf(ikm: Uint8Array, salt: Uint8Array, info: unknown[], bytes: number): Promise<Uint8Array> {
  const key = await subtle.importKey('raw', Uint8Array.from(ikm), 'HKDF', false, ['deriveBits']);
  const options = { name: 'HKDF', hash: 'SHA-256', salt: Uint8Array.from(salt), info: utf8(info) };
  return new Uint8Array(await subtle.deriveBits(options, key, bytes * 8));
}

async function gcm(
  way: 'encrypt' | 'decrypt',
  key: Uint8Array,
  text: Uint8Array,
  additionalData: Uint8Array,
): Promise<Uint8Array> {
  const imported = await subtle.importKey('raw', Uint8Array.from(key), 'AES-GCM', false, [way]);
  const options = {
    name: 'AES-GCM',
    iv: new Uint8Array(12),
    additionalData: Uint8Array.from(additionalData),
  };
  return new Uint8Array(await subtle[way](options, imported, Uint8Array.from(text)));
}

function utf8(array: unknown[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(array));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function strict(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  if (base64url(bytes) !== text) throw new Error('not base64url as RFC 4648 writes it');
  return bytes;
}
