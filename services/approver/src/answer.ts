import type { FaultCode, PersonEntry, QuestionEntry, Statement } from '@interlock/contracts';

/** Enough to see who tried; an answer that is refused costs its sender a signed request each. */
const REJECTED_MAX = 32;

/** What an answer does: closes the question, is turned away and noted, or was counted or noted before. */
export type Judgement =
  | { kind: 'accepted'; entry: QuestionEntry }
  | { kind: 'rejected'; code: FaultCode; entry: QuestionEntry }
  | { kind: 'known' };

/**
 * Judges an authentic answer: the first valid one closes the question, and no other changes more than the list of
 * rejected ones. `person` is undefined when nobody of that id is known.
 */
export function judgeAnswer(
  answer: Statement<'answer'>,
  entry: QuestionEntry,
  person: PersonEntry | undefined,
  nowMs: number,
): Judgement {
  if (entry.answer === answer.answer || entry.rejected.some((rejected) => rejected.answer === answer.answer))
    return { kind: 'known' };
  const code = objectionTo(answer, entry, person, nowMs);
  if (code !== undefined) return { kind: 'rejected', code, entry: withRejected(entry, answer, code, nowMs) };
  return {
    kind: 'accepted',
    entry: {
      ...entry,
      state: answer.verdict === 'approve' ? 'approved' : 'denied',
      answer: answer.answer,
      person: answer.person,
      ...(answer.reason === undefined ? {} : { reason: answer.reason }),
      resolvedAt: nowMs,
    },
  };
}

function objectionTo(
  answer: Statement<'answer'>,
  { question, questionDigest, state }: QuestionEntry,
  person: PersonEntry | undefined,
  nowMs: number,
): FaultCode | undefined {
  if (answer.tenant !== question.tenant || answer.call !== question.call) return 'answer_mismatch';
  if (answer.questionDigest !== questionDigest) return 'answer_mismatch';
  if (state !== 'open' || nowMs >= question.expiresAt) return 'question_closed';
  if (person === undefined || person.person !== answer.person) return 'answer_not_allowed';
  if (person.tenants !== undefined && !person.tenants.includes(question.tenant)) return 'answer_not_allowed';
  if (!question.roles.some((role) => person.roles.includes(role))) return 'answer_not_allowed';
  if (question.separateDuties && person.person === question.user) return 'answer_not_allowed';
  return undefined;
}

function withRejected(
  entry: QuestionEntry,
  { answer, person }: Statement<'answer'>,
  code: FaultCode,
  nowMs: number,
): QuestionEntry {
  return {
    ...entry,
    rejected: [...entry.rejected, { answer, person, code, at: nowMs }].slice(-REJECTED_MAX),
  };
}
