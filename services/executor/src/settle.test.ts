import { Fault } from '@interlock/contracts';
import { createTestKeys, makeCall, makeClaim, makeTool } from '@interlock/testkit';
import { expect, test } from 'vitest';
import { createSendGuard } from './send-guard.ts';
import { settleTask } from './settle.ts';

const DAY_MS = 86_400_000;

test('[P-clock-agrees] an outcome has the instant at which it is stored, not that of an attempt that a wrong clock made', async () => {
  const { keyring } = createTestKeys();
  const wrong = Date.now() - DAY_MS;
  let nowMs = wrong;
  const settledAt: number[] = [];
  const tool = makeTool();
  const guard = createSendGuard(60_000, { monotonicMs: () => 0, blockedBy: () => undefined });
  await settleTask(
    { claim: makeClaim(makeCall({ tool }), keyring), tool, sequence: 1, guard },
    { outcome: 'unknown', code: 'outcome_unknown' },
    {
      keyring,
      log: { warn: () => undefined },
      orphans: { settled: () => undefined },
      clock: {
        nowMs: () => nowMs,
        monotonicMs: () => 0,
        sleep: async () => {
          nowMs = wrong + DAY_MS;
        },
      },
      bus: {
        sendResult: () => undefined,
        blobs: () => {
          throw new TypeError('Nothing is kept.');
        },
        readStep: async () => undefined,
        settle: async ({ at }) => {
          if (at === wrong) throw new Fault('dependency_unavailable', { detail: 'The clocks differ.' });
          settledAt.push(at);
          return { stored: true, sequence: 2, duplicate: false };
        },
      },
    },
  );
  expect(settledAt).toEqual([wrong + DAY_MS]);
});
