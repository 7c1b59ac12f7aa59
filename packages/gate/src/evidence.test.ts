import { sha256 } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { boundedEvidence } from './evidence.ts';

const digest = 'a'.repeat(64);
const decision = {
  ...{ verdict: 'deny' as const, reasons: [], obligations: [], notes: [], policyDigest: digest },
  ...{ policyVersion: 1, facts: { tool: { name: 'pay' }, facts: { paths: [1] } }, decidedAt: 1 },
};

describe('[P-refusals-small] what is kept of a call that was not carried out', () => {
  test('has large arguments as their digest and size, and not what parsers found in them', () => {
    const text = JSON.stringify({ text: 'ä'.repeat(10_000) });
    expect(
      boundedEvidence({ call: { tool: 'pay', arguments: text }, decision, detail: { door: 'x' } }),
    ).toEqual({
      call: { tool: 'pay', argumentsDigest: sha256(text) },
      decision: { ...decision, facts: { tool: { name: 'pay' } } },
      detail: { door: 'x', argumentsBytes: Buffer.byteLength(text) },
    });
  });

  test('is whole where the arguments are small', () => {
    const evidence = { call: { arguments: 'x'.repeat(16_384), argumentsDigest: digest }, decision };
    expect(boundedEvidence(evidence)).toBe(evidence);
    expect(boundedEvidence({})).toEqual({});
  });
});
