import type { AuditVerification, VerificationProgress } from '@interlock/contracts';
import { expect, test } from 'vitest';
import { createVerifications } from './verifications.ts';

const LONG_MS = 60_000;
const result: AuditVerification = {
  intact: true,
  checked: { LEDGER: 7, APPROVALS: 0, CONTROL: 0 },
  anchors: 1,
  problems: [],
};

/** Checks that end when they are told to. */
function checks() {
  const begun: { end: () => void; fail: () => void; tell: (progress: VerificationProgress) => void }[] = [];
  const verifications = createVerifications((tell) => {
    const { promise, resolve, reject } = Promise.withResolvers<AuditVerification>();
    begun.push({ tell, end: () => resolve(result), fail: () => reject(new Error('no store')) });
    return promise;
  });
  return { begun, verifications };
}

test('[P-verify-progress] a check that takes longer than somebody waits says how far it is, and ends for whoever asks again', async () => {
  const { begun, verifications } = checks();
  const first = await verifications.answer({ waitMs: 0 });
  if ('intact' in first) throw new TypeError('The check has not ended.');
  begun[0]?.tell({ checked: 5, expected: 7 });
  expect(await verifications.answer({ run: first.run, waitMs: 0 })).toEqual({
    run: first.run,
    checked: 5,
    expected: 7,
  });
  const waiting = verifications.answer({ run: first.run, waitMs: LONG_MS });
  begun[0]?.end();
  expect(await waiting).toEqual(result);
  // Also for somebody who asks only now.
  expect(await verifications.answer({ run: first.run, waitMs: 0 })).toEqual(result);
  expect(begun).toHaveLength(1);
});

test('two who ask at once share a check, and who asks afterwards begins another', async () => {
  const { begun, verifications } = checks();
  const both = [verifications.answer({ waitMs: LONG_MS }), verifications.answer({ waitMs: LONG_MS })];
  begun[0]?.end();
  expect(await Promise.all(both)).toEqual([result, result]);
  const next = verifications.answer({ waitMs: LONG_MS });
  expect(begun).toHaveLength(2);
  begun[1]?.fail();
  await expect(next).rejects.toThrow('no store');
});
