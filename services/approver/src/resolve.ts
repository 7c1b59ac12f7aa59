import { limits, type QuestionEntry, type Sealed, type Statement } from '@interlock/contracts';

/** A resolution that is yet to be published, and the sealed call that goes with it. */
export interface Resolution {
  statement: Statement<'resolution'>;
  sealed: Sealed;
}

/**
 * Returns what a closed record says to the decider, or undefined when the question is open or was published.
 * It depends on the record alone, so whoever publishes it says the same.
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

/** Returns a closed record without the call: what is kept for those who ask how it went. */
export function withoutCall(entry: QuestionEntry): QuestionEntry {
  const { sealed: _, ...kept } = entry;
  return kept;
}
