import { type ApprovalsEntry, approvalsEntrySchema, heldCallSchema, sealContext } from '@interlock/contracts';
import { unseal } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { ask } from './ask.ts';
import { heldEvent, keyring, keyringWithout, keysOf, NOW_MS } from './held-call.fixture.ts';
import { sealHeldCall } from './seal-call.ts';

describe('asking', () => {
  test('asks nothing when the call may no longer start', () => {
    const { event, decision } = heldEvent();
    expect(() => ask(event, decision, approvals(), event.call.notAfter)).toThrow('deadline_passed');
  });

  test('refuses a call that nobody may approve', () => {
    expect(() => asked([{ roles: ['legal'] }, { roles: ['finance'] }])).toThrow('approval_impossible');
  });

  test.each([{ roles: [] }, { roles: 'finance' }, { quorum: 2 }, { expiresMs: 0 }])(
    'refuses a call whose obligation is not known: %j',
    (parameters) => {
      expect(() => asked([parameters])).toThrow('approval_impossible');
    },
  );

  test('lets policy shorten the time but not lengthen it', () => {
    expect(asked([{ expiresMs: 5_000 }]).expiresAt).toBe(NOW_MS + 5_000);
    expect(asked([{ expiresMs: 5_000_000 }]).expiresAt).toBe(NOW_MS + 900_000);
  });

  test('[P-approval-separate-duties] lets policy separate duties but not unite them', () => {
    expect(asked([{ separateDuties: true }]).separateDuties).toBe(true);
    expect(asked([{ separateDuties: false }], approvals({ separateDuties: true })).separateDuties).toBe(true);
  });

  test('asks the roles that policy names, and of several obligations those that all of them name', () => {
    expect(asked([{ roles: ['finance'] }]).roles).toEqual(['finance']);
    expect(asked([{ roles: ['legal', 'finance'] }, { roles: ['finance'] }]).roles).toEqual(['finance']);
  });

  test('asks as the rule for the tool says, and otherwise as is set for all tools', () => {
    const rules = [{ tool: 'pay', roles: ['treasurer'], expiresMs: 60_000, separateDuties: true }];
    expect(asked([], approvals({ rules }))).toMatchObject({
      roles: ['treasurer'],
      expiresAt: NOW_MS + 60_000,
      separateDuties: true,
    });
    expect(asked([])).toMatchObject({
      roles: ['approver'],
      expiresAt: NOW_MS + 900_000,
      separateDuties: false,
    });
  });

  test('ends before the bucket deletes the question', () => {
    const week = approvals({ expiresMs: 7 * 86_400_000 });
    expect(asked([], week).expiresAt).toBeLessThan(NOW_MS + 7 * 86_400_000);
  });
});

describe('sealing a held call', () => {
  test.each(['decider', 'console', 'auditor'] as const)(
    'is refused when the %s could not read it',
    (service) => {
      expect(() => sealHeldCall(heldEvent().event, 7, keyringWithout(service), NOW_MS)).toThrow(
        'approval_impossible',
      );
    },
  );

  test('[P-evidence-sealed] opens for nobody else, and not as another call', () => {
    const { event } = heldEvent();
    const sealed = sealHeldCall(event, 7, keyring, NOW_MS);
    const context = sealContext('held', event.call.call);
    expect(() => unseal(sealed, keysOf('ingress').seal, context)).toThrow('statement_invalid');
    expect(() => unseal(sealed, keysOf('decider').seal, sealContext('held', 'other'))).toThrow(
      'statement_invalid',
    );
  });

  test('gives its readers the exact call, the sequence of `held`, and a result that is kept', () => {
    const { event } = heldEvent();
    const sealed = sealHeldCall(event, 7, keyring, NOW_MS);
    for (const service of ['decider', 'console', 'auditor'] as const) {
      const opened = unseal(sealed, keysOf(service).seal, sealContext('held', event.call.call));
      expect(heldCallSchema.parse(JSON.parse(opened.toString()))).toEqual({
        call: { ...event.call, keepResult: true },
        decision: event.decision,
        statement: event.statement,
        heldSequence: 7,
      });
    }
  });
});

function asked(demands: object[], settings = approvals()) {
  const obligations = demands.map((parameters) => ({
    name: 'approval',
    parameters: JSON.parse(JSON.stringify(parameters)),
  }));
  const { event, decision } = heldEvent({ obligations });
  return ask(event, decision, settings, NOW_MS);
}

function approvals(set: Partial<ApprovalsEntry> = {}): ApprovalsEntry {
  return approvalsEntrySchema.parse(set);
}
