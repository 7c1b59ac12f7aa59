import {
  approvalsEntrySchema,
  limits,
  newId,
  type PersonEntry,
  type QuestionEntry,
  type Statement,
  sha256,
} from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { applyAnswer } from './answer.ts';
import { ask, openQuestion } from './ask.ts';
import { expire } from './expire.ts';
import { heldEvent, keyring, NOW_MS } from './held-call.fixture.ts';
import { CLOSED_KEPT_MS } from './questions.ts';
import { resolutionOf, withoutCall } from './resolve.ts';
import { sealHeldCall } from './seal-call.ts';
import { dueAt } from './sweep.ts';

describe('an answer is rejected', () => {
  const entry = question();
  const { question: asked } = entry;
  test.each<[string, QuestionEntry, Partial<Statement<'answer'>>, PersonEntry | undefined, number, string]>([
    [
      'about another question',
      entry,
      { questionDigest: sha256('other') },
      person(),
      NOW_MS,
      'answer_mismatch',
    ],
    ['replayed from another call', entry, { call: 'other' }, person(), NOW_MS, 'answer_mismatch'],
    ['from another tenant', entry, { tenant: 'other' }, person(), NOW_MS, 'answer_mismatch'],
    ['at the instant of expiry', entry, {}, person(), asked.expiresAt, 'question_closed'],
    ['after another answer', { ...entry, state: 'denied' }, {}, person(), NOW_MS, 'question_closed'],
    ['from an unknown person', entry, {}, undefined, NOW_MS, 'answer_not_allowed'],
    ['in the name of another person', entry, { person: 'eve' }, person(), NOW_MS, 'answer_not_allowed'],
    ['without one of the roles', entry, {}, person({ roles: ['operator'] }), NOW_MS, 'answer_not_allowed'],
    ['with the role admin alone', entry, {}, person({ roles: ['admin'] }), NOW_MS, 'answer_not_allowed'],
    ['from a person of other tenants', entry, {}, person({ tenants: ['x'] }), NOW_MS, 'answer_not_allowed'],
    [
      'from the person it acts for where duties are separated',
      question({ separateDuties: true }),
      { person: 'ursula' },
      person({ person: 'ursula' }),
      NOW_MS,
      'answer_not_allowed',
    ],
  ])(
    '[P-approval-separate-duties] [P-approval-exact-call] %s, and leaves the question as it was',
    (_, current, set, by, nowMs, code) => {
      const answer = answerTo(current, set);
      const outcome = applyAnswer(answer, current, by, nowMs);
      const noted = { answer: answer.answer, person: answer.person, code, at: nowMs };
      expect(outcome).toEqual({ kind: 'rejected', code, entry: { ...current, rejected: [noted] } });
    },
  );

  test('and noted once, however often it is delivered', () => {
    const answer = answerTo(entry);
    const first = applyAnswer(answer, entry, undefined, NOW_MS);
    if (first.kind !== 'rejected') throw new Error('The answer of an unknown person was not rejected.');
    expect(applyAnswer(answer, first.entry, person(), NOW_MS)).toEqual({ kind: 'known' });
  });

  test('and only the newest thirty-two are kept', () => {
    let current = entry;
    const answers = Array.from({ length: 40 }, () => answerTo(entry));
    for (const answer of answers) {
      const outcome = applyAnswer(answer, current, undefined, NOW_MS);
      if (outcome.kind === 'rejected') current = outcome.entry;
    }
    expect(current.rejected.map(({ answer }) => answer)).toEqual(
      answers.slice(8).map(({ answer }) => answer),
    );
  });
});

describe('an answer is accepted', () => {
  test.each([
    ['approve', 'approved'],
    ['deny', 'denied'],
  ] as const)('and closes the question: %s', (verdict, state) => {
    const entry = question();
    const answer = answerTo(entry, { verdict, reason: 'seen' });
    expect(applyAnswer(answer, entry, person(), NOW_MS)).toEqual({
      kind: 'accepted',
      entry: { ...entry, state, person: 'petra', reason: 'seen', answer: answer.answer, resolvedAt: NOW_MS },
    });
  });

  test('[P-approval-separate-duties] from the person it acts for where duties are not separated', () => {
    const entry = question();
    const outcome = applyAnswer(
      answerTo(entry, { person: 'ursula' }),
      entry,
      person({ person: 'ursula' }),
      NOW_MS,
    );
    expect(outcome.kind).toBe('accepted');
  });

  test('once: the same answer again changes nothing', () => {
    const entry = question();
    const answer = answerTo(entry);
    const first = applyAnswer(answer, entry, person(), NOW_MS);
    if (first.kind !== 'accepted') throw new Error('A valid answer was rejected.');
    expect(applyAnswer(answer, first.entry, person(), NOW_MS)).toEqual({ kind: 'known' });
  });
});

describe('time', () => {
  test('does not expire a question before its instant, nor one that was answered', () => {
    const entry = question();
    expect(expire(entry, entry.question.expiresAt - 1)).toBeUndefined();
    expect(expire({ ...entry, state: 'approved' }, entry.question.expiresAt)).toBeUndefined();
  });

  test('expires an open question at its instant', () => {
    const entry = question();
    const { expiresAt } = entry.question;
    expect(expire(entry, expiresAt)).toEqual({ ...entry, state: 'expired', resolvedAt: expiresAt });
  });

  test('makes due what was not finished: a question not published, a resolution not published', () => {
    const entry = question();
    const { askedAt, expiresAt } = entry.question;
    expect(dueAt(entry, false)).toBe(askedAt + 2_000);
    expect(dueAt(entry, true)).toBe(expiresAt);
    const closed: QuestionEntry = { ...entry, state: 'denied', resolvedAt: NOW_MS };
    expect(dueAt(closed, true)).toBe(NOW_MS + 2_000);
    expect(dueAt(withoutCall(closed), true)).toBe(NOW_MS + CLOSED_KEPT_MS);
  });
});

describe('a resolution', () => {
  test('is not made of an open question, nor of one that was published', () => {
    const entry = question();
    expect(resolutionOf(entry)).toBeUndefined();
    expect(resolutionOf(withoutCall({ ...entry, state: 'denied', resolvedAt: NOW_MS }))).toBeUndefined();
  });

  test('holds the sealed call, the person, and the last instant at which the call may start', () => {
    const entry: QuestionEntry = { ...question(), state: 'approved', person: 'petra', resolvedAt: NOW_MS };
    expect(resolutionOf(entry)).toEqual({
      sealed: entry.sealed,
      statement: {
        type: 'resolution',
        tenant: 't',
        call: entry.question.call,
        callDigest: entry.question.callDigest,
        questionDigest: entry.questionDigest,
        resolution: 'approved',
        person: 'petra',
        issuedAt: NOW_MS,
        notAfter: NOW_MS + limits.approvedCallMs,
      },
    });
  });
});

function question(set: { separateDuties?: boolean } = {}): QuestionEntry {
  const { event, decision } = heldEvent();
  const asked = ask(event, decision, approvalsEntrySchema.parse(set), NOW_MS);
  return openQuestion(asked, sealHeldCall(event, 1, keyring, NOW_MS));
}

function answerTo(entry: QuestionEntry, set: Partial<Statement<'answer'>> = {}): Statement<'answer'> {
  return {
    type: 'answer',
    answer: newId('answer'),
    tenant: entry.question.tenant,
    call: entry.question.call,
    questionDigest: entry.questionDigest,
    person: 'petra',
    verdict: 'approve',
    channel: 'cli',
    issuedAt: NOW_MS,
    ...set,
  };
}

function person(set: Partial<PersonEntry> = {}): PersonEntry {
  return { person: 'petra', roles: ['approver'], tokenHash: sha256('token'), ...set };
}
