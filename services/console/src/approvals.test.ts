import { createTestKeys, makeCall } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { stateOfAnswer } from './approvals.ts';
import { makeQuestion } from './question.fixture.ts';
import { openQuestion } from './questions.ts';

const testKeys = createTestKeys();
const keys = testKeys.keysOf('console');
const pay = (args: { amount: number; to?: string }) => makeCall({ call: 'call_1', tool: 'pay', args });

describe('a question', () => {
  test('[P-approval-exact-call] is not opened with other arguments than it was asked about', () => {
    const swapped = makeQuestion(pay({ amount: 9_000 }), testKeys.keyring, {
      sealedCall: pay({ amount: 1 }),
    });
    expect(() => openQuestion(swapped, keys.seal)).toThrow(
      expect.objectContaining({ code: 'answer_mismatch' }),
    );
  });

  test('is not opened when it was changed after its digest was made', () => {
    const entry = makeQuestion(pay({ amount: 1 }), testKeys.keyring);
    const changed = { ...entry, question: { ...entry.question, roles: ['anybody'] } };
    expect(() => openQuestion(changed, keys.seal)).toThrow(
      expect.objectContaining({ code: 'answer_mismatch' }),
    );
  });

  test('is opened with the exact arguments', () => {
    const entry = makeQuestion(pay({ amount: 1, to: 'bob' }), testKeys.keyring);
    const opened = openQuestion(entry, keys.seal);
    expect(opened).toMatchObject({ call: 'call_1', tool: 'pay', arguments: { amount: 1, to: 'bob' } });
  });
});

describe('an answer', () => {
  const open = makeQuestion(pay({ amount: 1 }), testKeys.keyring);

  test('that was rejected ends with the reason of its rejection', () => {
    const rejected = [{ answer: 'ans_1', person: 'bob', code: 'answer_not_allowed' as const, at: 1 }];
    expect(() => stateOfAnswer({ ...open, rejected }, 'ans_1')).toThrow(
      expect.objectContaining({ code: 'answer_not_allowed' }),
    );
  });

  test('that came after another one, or after the time, ends as closed', () => {
    const closed = expect.objectContaining({ code: 'question_closed' });
    expect(() => stateOfAnswer({ ...open, state: 'approved', answer: 'ans_2' }, 'ans_1')).toThrow(closed);
    expect(() => stateOfAnswer({ ...open, state: 'expired' }, 'ans_1')).toThrow(closed);
  });

  test('counts once the question records it, and not before', () => {
    expect(stateOfAnswer(open, 'ans_1')).toBeUndefined();
    expect(stateOfAnswer({ ...open, state: 'denied', answer: 'ans_1' }, 'ans_1')).toBe('denied');
  });
});
