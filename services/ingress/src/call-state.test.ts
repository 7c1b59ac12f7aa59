import type { LedgerEntry } from '@interlock/bus';
import { limits, type QuestionEntry } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { callStateOf, ORPHAN_GRACE_MS, planOf } from './call-state.ts';

const NOW_MS = 2_000;
const digest = 'a'.repeat(64);
const sealed = { sender: 'AA', salt: 'AA', recipients: [{ keyId: 'k', key: 'AA' }], content: 'AA' };
const head = { tenant: 'acme', agent: 'bot', call: 'c1', tool: 'read', at: 1_000 };
const request = { tool: 'read', argumentsDigest: digest };

function refused(code: 'policy_denied' | 'rate_limited', change: object = {}): LedgerEntry {
  const body = {
    ...head,
    by: 'limiter' as const,
    code,
    detail: 'no',
    argumentsDigest: digest,
    evidence: sealed,
  };
  return { step: 'refused', sequence: 1, body: { ...body, ...change } };
}

const started: LedgerEntry = {
  step: 'started',
  sequence: 1,
  body: {
    ...head,
    session: 's',
    user: 'ann',
    toolVersion: digest,
    argumentsDigest: digest,
    callDigest: digest,
    replyTo: 'rep',
    keepResult: true,
    executor: 'x',
    nonce: 'n',
    claimMs: 10_000,
    idempotent: false,
    evidence: sealed,
  },
};

const settled: LedgerEntry = {
  step: 'settled',
  sequence: 2,
  body: {
    ...head,
    outcome: 'succeeded',
    redactions: 0,
    labels: [],
    executor: 'x',
    keepResult: true,
    argumentsDigest: digest,
  },
};

function questionIn(state: QuestionEntry['state'], resolvedAt?: number): QuestionEntry {
  return {
    question: {
      ...head,
      user: 'ann',
      session: 's',
      toolVersion: digest,
      argumentsDigest: digest,
      callDigest: digest,
      reasons: [],
      roles: ['approver'],
      separateDuties: false,
      askedAt: 1_000,
      expiresAt: 9_000,
    },
    questionDigest: digest,
    state,
    rejected: [],
    ...(resolvedAt === undefined ? {} : { resolvedAt }),
  };
}

describe('the state of a call', () => {
  test('is decided by the ledger before the question', () => {
    expect(callStateOf(refused('policy_denied'), questionIn('open'), 0).kind).toBe('refused');
    expect(callStateOf(settled, questionIn('approved', 1), 0).kind).toBe('settled');
  });

  test('is held as long as its question is open, and no longer', () => {
    expect(callStateOf(undefined, questionIn('open'), 0).kind).toBe('held');
    expect(callStateOf(undefined, questionIn('approved', 2_000), 3_000)).toMatchObject({
      kind: 'resolved',
      leftMs: limits.approvedCallMs - 1_000,
    });
    expect(callStateOf(undefined, questionIn('denied', 0), limits.approvedCallMs)).toMatchObject({
      leftMs: 0,
    });
  });

  test('is running until its claim ran out and its orphan had time to settle, whatever the clocks show', () => {
    expect(callStateOf(started, undefined, 4_000)).toMatchObject({ leftMs: 7_000 + ORPHAN_GRACE_MS });
    expect(callStateOf(started, undefined, 99_000)).toMatchObject({ leftMs: ORPHAN_GRACE_MS });
    expect(callStateOf(started, undefined, -99_000)).toMatchObject({ leftMs: 10_000 + ORPHAN_GRACE_MS });
  });
});

describe('a request under a used Idempotency-Key', () => {
  test.each([
    ['other arguments', { ...request, argumentsDigest: 'b'.repeat(64) }],
    ['another tool', { ...request, tool: 'write' }],
  ])('is refused with %s, whatever the state of the first one', (_, other) => {
    for (const ledger of [settled, started, refused('policy_denied'), refused('rate_limited')])
      expect(planOf(callStateOf(ledger, undefined, 0), other, NOW_MS)).toBe('reused');
    expect(planOf(callStateOf(undefined, questionIn('open'), 0), other, NOW_MS)).toBe('reused');
  });

  test.each([
    ['settled', settled],
    ['started', started],
    ['refused for good', refused('policy_denied')],
  ])('follows a call that is %s', (_, ledger) => {
    expect(planOf(callStateOf(ledger, undefined, 0), request, NOW_MS)).toBe('follow');
  });

  test('follows a call that is held', () => {
    expect(planOf(callStateOf(undefined, questionIn('open'), 0), request, NOW_MS)).toBe('follow');
  });

  test('is tried again after a retryable refusal, and makes the call when nothing is known of it', () => {
    expect(planOf(callStateOf(refused('rate_limited'), undefined, 0), request, NOW_MS)).toBe('next');
    expect(planOf(callStateOf(undefined, undefined, 0), request, NOW_MS)).toBe('make');
  });

  test('[P-idempotency-key] is refused when its call ended longer ago than the window', () => {
    const lateMs = 1_000 + limits.idempotencyWindowMs + 1;
    for (const ledger of [settled, refused('rate_limited'), refused('policy_denied')]) {
      expect(planOf(callStateOf(ledger, undefined, lateMs), request, lateMs)).toBe('expired');
      expect(planOf(callStateOf(ledger, undefined, lateMs), request, lateMs - 1)).not.toBe('expired');
    }
  });
});
