import type { ClaimNotice, LedgerEntry } from '@interlock/bus';
import { type Claim, Fault } from '@interlock/contracts';
import { seal } from '@interlock/keys';
import { createTestKeys, makeCall, makeDecided } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { checkCall } from './check.ts';
import { claimOf } from './claim.ts';
import { effectOfError, settledOf } from './effect.ts';
import { judgeOrphan, Orphans, waitOf } from './orphans.ts';
import { createSendGuard } from './send-guard.ts';
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

  test('is not checked before its limit and a grace have passed', () => {
    const notice = { storedAtMs: nowMs, claimMs: 5_000 };
    expect(waitOf(notice, nowMs + 5_000)).toBeGreaterThan(0);
    expect(waitOf(notice, nowMs + 60_000)).toBe(0);
  });
});

describe('a notice', () => {
  function noticeOf(call: string, storedAtMs: number) {
    const answers: string[] = [];
    const notice: ClaimNotice = {
      ...{ tenant: 't1', call, step: 'started', sequence: 1, storedAtMs, claimMs: 1_000 },
      done: () => answers.push('done'),
      later: () => answers.push('later'),
    };
    return { notice, answers };
  }

  test('of a call under way waits in memory, and is done once that call is settled', () => {
    const orphans = new Orphans(
      () => nowMs,
      () => Promise.reject(new Error('No claim is to be checked.')),
    );
    const { notice, answers } = noticeOf('c1', nowMs);
    expect(orphans.begin(notice)).toBe(true);
    expect(orphans.begin(notice)).toBe(false);
    orphans.add(notice);
    expect(answers).toEqual([]);
    orphans.settled(notice);
    orphans.end(notice);
    expect(answers).toEqual(['done']);
  });

  test('of a call that ended here without being settled is delivered again', () => {
    const orphans = new Orphans(
      () => nowMs,
      () => Promise.resolve(),
    );
    const { notice, answers } = noticeOf('c1', nowMs);
    orphans.begin(notice);
    orphans.add(notice);
    orphans.end(notice);
    expect(answers).toEqual(['later']);
  });

  test('past its limit is checked, and is delivered again when the check fails', async () => {
    const checked: string[] = [];
    const orphans = new Orphans(
      () => nowMs,
      async ({ call }) => {
        checked.push(call);
        if (call === 'c2') throw new Error('disconnected from NATS');
      },
    );
    const [fine, failing] = [noticeOf('c1', 0), noticeOf('c2', 0)];
    orphans.add(fine.notice);
    orphans.add(failing.notice);
    await orphans.idle();
    expect(checked).toEqual(['c1', 'c2']);
    expect([fine.answers, failing.answers]).toEqual([['done'], ['later']]);
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

describe('the send guard', () => {
  test('[P-claim-monotonic] lets nothing out from the limit of the claim on, and knows that nothing was sent', () => {
    let now = 0;
    const guard = createSendGuard(100, { monotonicMs: () => now, blockedBy: () => undefined });
    now = 100;
    expect(guard.maySend()).toBe(false);
    expect(effectOfError(new Error('late'), guard)).toEqual({ outcome: 'failed', code: 'egress_expired' });
  });

  test('lets nothing out while the kill switch is on', () => {
    const guard = createSendGuard(100, { monotonicMs: () => 0, blockedBy: () => new Fault('killed') });
    expect(guard.maySend()).toBe(false);
    expect(effectOfError(new Error('stopped'), guard)).toEqual({ outcome: 'failed', code: 'killed' });
  });

  test('that let something out leaves a call without an answer unknown', () => {
    const guard = createSendGuard(100, { monotonicMs: () => 0, blockedBy: () => undefined });
    expect(guard.maySend()).toBe(true);
    expect(effectOfError(new Error('broke'), guard)).toEqual({ outcome: 'unknown', code: 'outcome_unknown' });
  });
});
