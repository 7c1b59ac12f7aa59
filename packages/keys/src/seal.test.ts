import { type Sealed, sealContext } from '@interlock/contracts';
import { createTestKeys } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { seal, unseal } from './seal.ts';

const nowMs = 1_800_000_000_000;
const keys = createTestKeys();
const auditor = keys.keysOf('auditor').seal;
const decider = keys.keysOf('decider').seal;
const context = sealContext('evidence', 'c_1');
const content = 'what happened, in full';
const toBoth = [...keys.keyring.sealKeysOf('auditor', nowMs), ...keys.keyring.sealKeysOf('decider', nowMs)];
const box = seal(content, toBoth, context);
const invalid = expect.objectContaining({ code: 'statement_invalid' });

/** Turns one bit of a base64url text. */
function flipped(text: string, at: number): string {
  const bytes = Buffer.from(text, 'base64url');
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString('base64url');
}

describe('[P-evidence-sealed] a sealed box', () => {
  test('does not open for somebody it is not for, nor for a key under another’s id', () => {
    const executor = keys.keysOf('executor').seal;
    expect(() => unseal(box, executor, context)).toThrow(invalid);
    expect(() => unseal(box, { ...executor, keyId: auditor.keyId }, context)).toThrow(invalid);
  });

  test('does not open for another call or another purpose', () => {
    expect(() => unseal(box, auditor, sealContext('evidence', 'c_2'))).toThrow(invalid);
    expect(() => unseal(box, auditor, sealContext('result', 'c_1'))).toThrow(invalid);
  });

  test.each<[string, (sealed: Sealed) => Sealed]>([
    ['its content', (sealed) => ({ ...sealed, content: flipped(sealed.content, 0) })],
    ['its tag', (sealed) => ({ ...sealed, content: flipped(sealed.content, content.length + 3) })],
    ['its salt', (sealed) => ({ ...sealed, salt: flipped(sealed.salt, 5) })],
    ['its sender', (sealed) => ({ ...sealed, sender: flipped(sealed.sender, 0) })],
    ['its end', (sealed) => ({ ...sealed, content: sealed.content.slice(0, 24) })],
    ['all of its content', (sealed) => ({ ...sealed, content: '' })],
    [
      'the key in it',
      (sealed) => ({
        ...sealed,
        recipients: sealed.recipients.map(({ keyId, key }) => ({ keyId, key: flipped(key, 0) })),
      }),
    ],
    [
      'whose key is whose',
      (sealed) => {
        const [first, second] = sealed.recipients;
        if (first === undefined || second === undefined) return sealed;
        return {
          ...sealed,
          recipients: [
            { ...first, key: second.key },
            { ...second, key: first.key },
          ],
        };
      },
    ],
  ])('does not open when %s was changed', (_what, change) => {
    expect(() => unseal(change(box), auditor, context)).toThrow(invalid);
  });

  test('for nobody is not made', () => {
    expect(() => seal(content, [], context)).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  test('opens for each it is for, text and bytes, and shows nothing of its content', () => {
    expect(unseal(box, auditor, context).toString()).toBe(content);
    expect(unseal(box, decider, context).toString()).toBe(content);
    const bytes = Buffer.alloc(100_000, 7);
    expect(unseal(seal(bytes, toBoth, context), decider, context).equals(bytes)).toBe(true);
    expect(Buffer.from(box.content, 'base64url').toString('latin1')).not.toContain('happened');
  });

  test('is another one each time: no key and no salt comes twice', () => {
    const boxes = Array.from({ length: 50 }, () => seal(content, toBoth, context));
    for (const part of ['salt', 'content'] as const)
      expect(new Set(boxes.map((one) => one[part])).size).toBe(boxes.length);
  });
});
