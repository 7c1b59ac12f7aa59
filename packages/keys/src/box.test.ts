/** The sealed box against its page: test vectors, a second implementation, and senders that do not keep to it. */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Sealed, sealedSchema } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readBox, writeBox } from './box.ts';
import { seal, unseal } from './seal.ts';
import { makeSpecBox, openSpecBox, type RawPair } from './spec-box.fixture.ts';

const pairSchema = z.strictObject({ privateKey: z.base64url(), publicKey: z.base64url() });
const { sender, recipients, vectors } = z
  .strictObject({
    note: z.string(),
    sender: pairSchema,
    recipients: z.record(z.string(), pairSchema),
    vectors: z.array(
      z.strictObject({
        name: z.string(),
        context: z.string(),
        content: z.base64url(),
        boxKey: z.base64url(),
        box: sealedSchema,
      }),
    ),
  })
  .parse(JSON.parse(await readFile(new URL('../vectors/sealed-box.json', import.meta.url), 'utf8')));

const invalid = expect.objectContaining({ code: 'statement_invalid' });
const context = 'held:call_1';
const both = ['box_bob', 'box_second'];
const boxKey = new Uint8Array(32).fill(7);

function pairOf(keyId: string): RawPair & { keyId: string } {
  const pair = recipients[keyId];
  if (pair === undefined) throw new Error(`the vectors name no key ${keyId}`);
  return { keyId, ...pair };
}

function privateKeyOf({ privateKey, publicKey }: RawPair): KeyObject {
  const jwk = { kty: 'OKP', crv: 'X25519', d: privateKey, x: publicKey };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

function publicKeyOf(pair: RawPair): KeyObject {
  return createPublicKey(privateKeyOf(pair));
}

function openOurs(box: Sealed, keyId: string, under = context): string {
  const { privateKey } = { privateKey: privateKeyOf(pairOf(keyId)) };
  return unseal(box, { keyId, privateKey }, under).toString('base64url');
}

async function openTheirs(box: Sealed, keyId: string, under = context): Promise<string> {
  return Buffer.from(await openSpecBox(box, pairOf(keyId), under)).toString('base64url');
}

describe.each(vectors)('[P-evidence-sealed] the test vector “$name”', (vector) => {
  const content = Buffer.from(vector.content, 'base64url');
  const keyIds = vector.box.recipients.map(({ keyId }) => keyId);

  test('is the box that its secrets make', () => {
    const agree = (publicKey: KeyObject) =>
      createSecretKey(diffieHellman({ privateKey: privateKeyOf(sender), publicKey }));
    const to = keyIds.map((keyId) => ({ keyId, key: publicKeyOf(pairOf(keyId)) }));
    const secrets = { boxKey: Buffer.from(vector.boxKey, 'base64url'), sender: sender.publicKey, agree };
    expect(writeBox(content, to, vector.context, secrets)).toEqual(vector.box);
  });

  test('opens for each of its recipients', () => {
    for (const keyId of keyIds) expect(openOurs(vector.box, keyId, vector.context)).toBe(vector.content);
  });

  test('opens and is made by an implementation of the page alone', async () => {
    for (const keyId of keyIds)
      expect(await openTheirs(vector.box, keyId, vector.context)).toBe(vector.content);
    const secrets = { sender, boxKey: Buffer.from(vector.boxKey, 'base64url') };
    expect(await makeSpecBox(content, keyIds.map(pairOf), vector.context, secrets)).toEqual(vector.box);
  });
});

test('[P-evidence-sealed] a box that was just sealed opens by an implementation of the page alone', async () => {
  const to = both.map((keyId) => ({ keyId, key: publicKeyOf(pairOf(keyId)) }));
  const box = seal('what happened, in full', to, context);
  for (const keyId of both)
    expect(Buffer.from(await openTheirs(box, keyId), 'base64url').toString()).toBe('what happened, in full');
});

describe('[P-evidence-sealed] a box of a sender that does not keep to the page is refused by both implementations', () => {
  const content = Buffer.from('what happened');

  test('whose salt commits to no box key', async () => {
    const salt = new Uint8Array(32).fill(1);
    await refusedByBoth(await makeSpecBox(content, both.map(pairOf), context, { sender, boxKey, salt }));
  });

  test('that gives one recipient another box key than the rest', async () => {
    const keys = { box_second: new Uint8Array(32).fill(8) };
    const box = await makeSpecBox(content, both.map(pairOf), context, { sender, boxKey, keys });
    await refusedByBoth(box, ['box_second']);
    expect(openOurs(box, 'box_bob')).toBe(content.toString('base64url'));
  });

  test.each([
    ['nothing', Buffer.alloc(32)],
    ['a point of order one', Buffer.alloc(32).fill(1, 0, 1)],
    ['too short a key', Buffer.alloc(31, 9)],
  ])('whose public key is %s', async (_what, publicKey) => {
    const box = await makeSpecBox(content, both.map(pairOf), context, { sender, boxKey });
    await refusedByBoth({ ...box, sender: publicKey.toString('base64url') });
  });

  async function refusedByBoth(box: Sealed, keyIds: string[] = both): Promise<void> {
    for (const keyId of keyIds) {
      expect(() => openOurs(box, keyId)).toThrow(invalid);
      await expect(openTheirs(box, keyId)).rejects.toThrow();
    }
  }
});

test('[P-evidence-sealed] a box that is written in another way than it was made is refused, part by part', async () => {
  const box = await makeSpecBox(Buffer.from('1 or 2?'), both.map(pairOf), context, { sender, boxKey });
  const [first, second] = box.recipients;
  if (first === undefined || second === undefined) throw new Error('the box has two recipients');
  const changed: Record<string, Sealed> = {
    'a second spelling of the content': { ...box, content: respelt(box.content) },
    'a second spelling of the salt': { ...box, salt: respelt(box.salt) },
    'a second spelling of the sender': { ...box, sender: respelt(box.sender) },
    'the sender as X25519 also reads it': { ...box, sender: highBitSet(box.sender) },
    'a recipient less': { ...box, recipients: [first] },
    'a recipient more': { ...box, recipients: [first, second, { keyId: 'box_third', key: second.key }] },
    'a recipient twice': { ...box, recipients: [first, first, second] },
    'recipients in another order': { ...box, recipients: [second, first] },
    'another recipient’s id': { ...box, recipients: [first, { ...second, keyId: 'box_third' }] },
    'another recipient’s key': { ...box, recipients: [first, { ...second, key: first.key }] },
  };
  for (const [how, one] of Object.entries(changed)) {
    expect(() => openOurs(one, 'box_bob'), how).toThrow(invalid);
    await expect(openTheirs(one, 'box_bob'), how).rejects.toThrow();
  }
  expect(openOurs(box, 'box_bob')).toBe(Buffer.from('1 or 2?').toString('base64url'));
});

test('[P-evidence-sealed] a box with any one bit of it changed, or cut at any place, does not open', async () => {
  const box = await makeSpecBox(Buffer.from('what'), [pairOf('box_bob')], context, { sender, boxKey });
  const agree = (publicKey: string) => {
    const theirs = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: publicKey }, format: 'jwk' });
    const privateKey = privateKeyOf(pairOf('box_bob'));
    return createSecretKey(diffieHellman({ privateKey, publicKey: theirs }));
  };
  const opened = (one: Sealed) => readBox(one, 'box_bob', context, agree);
  const parts: Record<string, (text: string) => Sealed> = {
    sender: (text) => ({ ...box, sender: text }),
    salt: (text) => ({ ...box, salt: text }),
    content: (text) => ({ ...box, content: text }),
    key: (text) => ({ ...box, recipients: [{ keyId: 'box_bob', key: text }] }),
  };
  const texts = {
    sender: box.sender,
    salt: box.salt,
    content: box.content,
    key: box.recipients[0]?.key ?? '',
  };
  for (const [part, text] of Object.entries(texts)) {
    const bytes = Buffer.from(text, 'base64url');
    const remade = parts[part];
    if (remade === undefined) throw new Error(`a box has no part ${part}`);
    expect(opened(remade(text)).toString()).toBe('what');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const turned = Buffer.from(bytes);
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => opened(remade(turned.toString('base64url'))), `${part}, bit ${bit}`).toThrow(invalid);
    }
    for (let end = 0; end < text.length; end += 1)
      expect(() => opened(remade(text.slice(0, end))), `${part}, cut at ${end}`).toThrow(invalid);
  }
});

/** Sets a bit of the last character that belongs to no byte. */
function respelt(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return `${text.slice(0, -1)}${alphabet[alphabet.indexOf(text.slice(-1)) + 1]}`;
}

/** X25519 ignores the highest bit of a public key. */
function highBitSet(publicKey: string): string {
  const bytes = Buffer.from(publicKey, 'base64url');
  bytes[31] = (bytes[31] ?? 0) ^ 0x80;
  return bytes.toString('base64url');
}
