import { limits, type QuestionEntry, type Sealed, type Statement } from '@interlock/contracts';

/** A resolution to publish, and the sealed call that goes with it. */
export interface Resolution {
  statement: Statement<'resolution'>;
  sealed: Sealed;
}

/**
 * Returns the resolution of a closed record, or undefined when the question is open or was published.
 * It depends on the record alone, so every replica makes the same one.
 */
export function resolutionOf(entry: QuestionEntry): Resolution | undefined {
  const { question, questionDigest, state, sealed, person, reason, resolvedAt } = entry;
  if (state === 'open' || sealed === undefined || resolvedAt === undefined) return undefined;
  return {
    statement: {
      type: 'resolution',
      tenant: question.tenant,
      call: question.call,
      callDigest: question.callDigest,
      questionDigest,
      resolution: state,
      ...(person === undefined ? {} : { person }),
      ...(reason === undefined ? {} : { reason }),
      issuedAt: resolvedAt,
      notAfter: resolvedAt + limits.approvedCallMs,
    },
    sealed,
  };
}

/** Returns a closed record without the sealed call, as it is kept for people who ask about its outcome. */
export function withoutCall(entry: QuestionEntry): QuestionEntry {
  const { sealed: _, ...kept } = entry;
  return kept;
}
