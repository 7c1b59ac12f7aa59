/** Builds what the approver's tests are about: a held call, and keys for everybody who signs or reads it. */
import type { EventBody, ServiceName, Statement } from '@interlock/contracts';
import { createTestKeys, makeCall, makeDecided, makeDecision } from '@interlock/testkit';

export const NOW_MS = 1_800_000_000_000;

export const { keyring, keyringWithout, keysOf } = createTestKeys();

/** Returns a held event and its decision, signed by the decider unless a test says otherwise. */
export function heldEvent(
  statement: Partial<Statement<'decision'>> = {},
  signedBy: ServiceName = 'decider',
): { event: EventBody<'held'>; decision: Statement<'decision'> } {
  const call = makeCall({ tenant: 't', user: 'ursula', tool: 'pay', args: { amount: 5 }, nowMs: NOW_MS });
  const changes = { verdict: 'ask' as const, ...statement };
  const made = makeDecided(call, keysOf(signedBy).sign, changes);
  const reasons = [{ rule: 'payments', text: 'Payments need an approval.' }];
  return {
    event: { ...made, decision: { ...made.decision, reasons } },
    decision: makeDecision(call, changes),
  };
}
