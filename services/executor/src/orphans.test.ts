import type { ClaimNotice, LedgerEntry } from '@interlock/bus';
import { type Claim, Fault } from '@interlock/contracts';
import { seal } from '@interlock/keys';
import { createTestKeys, makeCall, makeDecided } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { checkCall } from './check.ts';
import { claimOf } from './claim.ts';
import { effectOfError, settledOf } from './effect.ts';
import { openGate } from './gate.ts';
import { judgeOrphan, Orphans, waitOf } from './orphans.ts';
import { httpTool } from './tool.fixture.ts';

const nowMs = Date.UTC(2026, 0, 1);
const { keysOf, keyring } = createTestKeys();

function claimFor(idempotent: boolean): Claim {
  const tool = httpTool('https://api.example.com', { idempotent });
  const event = makeDecided(makeCall({ tool, call: 'c1', nowMs }), keysOf('decider').sign);
  const route = { replyTo: 'rep_1', keepResult: false };
  const facts = { tool, route, evidence: event, executor: 'e1', leaseKey: undefined };
  return claimOf(checkCall(event, keyring, nowMs), facts, keyring, nowMs);
}

const once = claimFor(false);
const again = claimFor(true);
const over = settledOf(
  once,
  { outcome: 'unknown', code: 'outcome_unknown' },
  { nowMs, labels: [], kept: false },
);

describe('a claim past its limit', () => {
  const entry = (step: 'started' | 'restarted', body: Claim): LedgerEntry => ({ step, body, sequence: 7 });
  test.each([
    ['that is settled is left alone', 'started', { step: 'settled', body: over, sequence: 8 }, 'done'],
    ['that is purged is left alone', 'started', undefined, 'done'],
    ['that was claimed again is left to the later claim', 'started', entry('restarted', again), 'done'],
    ['settles as unknown', 'started', entry('started', once), 'unknown'],
    ['of an idempotent tool is claimed again', 'started', entry('started', again), 'restart'],
    ['is claimed again once and no more', 'restarted', entry('restarted', again), 'unknown'],
  ] as const)('%s', (_title, step, last, kind) => {
    expect(judgeOrphan(step, last).kind).toBe(kind);
  });

  test('is not looked at before its limit and a grace have passed', () => {
    const notice = { storedAtMs: nowMs, claimMs: 5_000 };
    expect(waitOf(notice, nowMs + 5_000)).toBeGreaterThan(0);
    expect(waitOf(notice, nowMs + 60_000)).toBe(0);
  });
});

describe('a notice', () => {
  function heard(call: string, storedAtMs: number) {
    const said: string[] = [];
    const notice: ClaimNotice = {
      ...{ tenant: 't1', call, step: 'started', sequence: 1, storedAtMs, claimMs: 1_000 },
      done: () => said.push('done'),
      later: () => said.push('later'),
    };
    return { notice, said };
  }

  test('of a call in hand waits in memory, and is done once that call is settled', () => {
    const orphans = new Orphans(
      () => nowMs,
      () => Promise.reject(new Error('Nothing is to be looked at.')),
    );
    const { notice, said } = heard('c1', nowMs);
    expect(orphans.begin(notice)).toBe(true);
    expect(orphans.begin(notice)).toBe(false);
    orphans.hear(notice);
    expect(said).toEqual([]);
    orphans.settled(notice);
    orphans.end(notice);
    expect(said).toEqual(['done']);
  });

  test('of a call that left our hands unsettled comes back', () => {
    const orphans = new Orphans(
      () => nowMs,
      () => Promise.resolve(),
    );
    const { notice, said } = heard('c1', nowMs);
    orphans.begin(notice);
    orphans.hear(notice);
    orphans.end(notice);
    expect(said).toEqual(['later']);
  });

  test('past its limit is looked at, and comes back when the looking fails', async () => {
    const looked: string[] = [];
    const orphans = new Orphans(
      () => nowMs,
      async ({ call }) => {
        looked.push(call);
        if (call === 'c2') throw new Error('The bus is away.');
      },
    );
    const [fine, failing] = [heard('c1', 0), heard('c2', 0)];
    orphans.hear(fine.notice);
    orphans.hear(failing.notice);
    await orphans.idle();
    expect(looked).toEqual(['c1', 'c2']);
    expect([fine.said, failing.said]).toEqual([['done'], ['later']]);
  });
});

describe('the record in a claim', () => {
  test('is sealed for executors only where the call may be claimed again', () => {
    const recipients = ({ evidence }: Claim) => evidence.recipients.map(({ keyId }) => keyId);
    const [auditor, executor] = [keysOf('auditor').seal.keyId, keysOf('executor').seal.keyId];
    expect(recipients(once)).toEqual([auditor]);
    expect(recipients(again)).toEqual([auditor, executor]);
    expect(() => seal('x', [], 'evidence:c1')).toThrow('internal');
  });
});

describe('the gate before the first byte', () => {
  test('[P-claim-monotonic] is shut from the limit of the claim on, and says that nothing was sent', () => {
    let now = 0;
    const gate = openGate(100, { monotonicMs: () => now, blockedBy: () => undefined });
    now = 100;
    expect(gate.mayStart()).toBe(false);
    expect(effectOfError(new Error('late'), gate)).toEqual({ outcome: 'failed', code: 'egress_expired' });
  });

  test('is shut by the kill switch', () => {
    const gate = openGate(100, { monotonicMs: () => 0, blockedBy: () => new Fault('killed') });
    expect(gate.mayStart()).toBe(false);
    expect(effectOfError(new Error('stopped'), gate)).toEqual({ outcome: 'failed', code: 'killed' });
  });

  test('once passed leaves nothing but unknown for a call without an answer', () => {
    const gate = openGate(100, { monotonicMs: () => 0, blockedBy: () => undefined });
    expect(gate.mayStart()).toBe(true);
    expect(effectOfError(new Error('broke'), gate)).toEqual({ outcome: 'unknown', code: 'outcome_unknown' });
  });
});
