import type { Bus } from '@interlock/bus';
import { outcomeEntrySchema, questionEntrySchema } from '@interlock/contracts';
import { systemClock } from '@interlock/shell';
import { makeCall, makeClaim, startTestBus, type TestBus } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FollowParts, follow } from './follow.ts';
import { Waits } from './waits.ts';

let testBus: TestBus;
let ingress: Bus;
let executor: Bus;
beforeAll(async () => {
  testBus = await startTestBus();
  [ingress, executor] = await Promise.all([testBus.busOf('ingress'), testBus.busOf('executor')]);
});
afterAll(async () => {
  await testBus?.[Symbol.asyncDispose]();
});

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

describe('[P-answer-claims-no-more] a call that an executor claims between the reading and the refusal of ingress', () => {
  test('is unknown while it is not settled, and never refused', async () => {
    const call = makeCall();
    const claim = () => executor.claim('started', makeClaim(call, testBus.keyring, { claimMs: 1 }), 0);
    const ending = await followPastDeadline(call, claim);
    expect(ending).toMatchObject({ kind: 'fault', fault: { code: 'outcome_unknown' } });
  });

  test('has the outcome that was settled', async () => {
    const call = makeCall();
    const claimAndSettle = async () => {
      const claimed = await executor.claim('started', makeClaim(call, testBus.keyring), 0);
      const { tenant, agent, tool, argumentsDigest } = call;
      await executor.settle(
        {
          ...{ tenant, agent, tool, argumentsDigest, call: call.call, at: Date.now(), outcome: 'unknown' },
          ...{ redactions: 0, labels: [], executor: 'exe_1', keepResult: false },
        },
        claimed.stored ? claimed.sequence : 0,
      );
    };
    const ending = await followPastDeadline(call, claimAndSettle);
    expect(ending).toMatchObject({ kind: 'settled', settled: { call: call.call, outcome: 'unknown' } });
  });
});

/** Follows a published call past its deadline. `meanwhile` happens after ingress has read the ledger and before it writes. */
async function followPastDeadline(
  { tenant, agent, call, tool, argumentsDigest }: ReturnType<typeof makeCall>,
  meanwhile: () => Promise<unknown>,
) {
  const waits = new Waits();
  using waiter = waits.open({ tenant, agent, call, making: true });
  const parts: FollowParts = {
    bus: {
      readCall: ingress.readCall,
      refuse: async (refused) => {
        await meanwhile();
        return await ingress.refuse(refused);
      },
    },
    questions: ingress.records('questions', questionEntrySchema),
    outcomes: ingress.records('outcomes', outcomeEntrySchema),
    keyring: testBus.keyring,
    clock: systemClock,
    ...{ waits, log },
  };
  const who = { tenant, agent, call, tool, argumentsDigest };
  const followed = { who, evidence: {}, waiter, deadlineMs: systemClock.monotonicMs() };
  return await follow({ kind: 'published' }, followed, parts);
}
