import type { FaultCode, PersonEntry, QuestionEntry, Statement } from '@interlock/contracts';

/** Enough to see who tried: every rejected answer costs its sender a signed request. */
const REJECTED_MAX = 32;

/** What an answer does: it closes the question, it is rejected and noted, or it was applied before. */
export type AnswerOutcome =
  | { kind: 'accepted'; entry: QuestionEntry }
  | { kind: 'rejected'; code: FaultCode; entry: QuestionEntry }
  | { kind: 'known' };

/**
 * Applies an authentic answer to a question: the first valid one closes it, any other only adds to the list of rejected
 * ones. `person` is undefined when there is nobody of that id.
 */
export function applyAnswer(
  answer: Statement<'answer'>,
  entry: QuestionEntry,
  person: PersonEntry | undefined,
  nowMs: number,
): AnswerOutcome {
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
