import { sealContext } from '@interlock/contracts';
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
