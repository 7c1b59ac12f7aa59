/**
 * Checks of the whole trail, which take longer than anybody waits for an answer: one at a time, and whoever asks meanwhile
 * is told how far it is and gets its result.
 */
import {
  type AuditVerification,
  newId,
  type RpcReply,
  type RpcRequest,
  type VerificationProgress,
} from '@interlock/contracts';

export interface Verifications {
  answer(request: RpcRequest<'auditor.verify'>): Promise<RpcReply<'auditor.verify'>>;
}

interface Run {
  id: string;
  progress: VerificationProgress;
  result: Promise<AuditVerification>;
  isDone: boolean;
}

/** `work` tells how far it is. */
export function createVerifications(
  work: (onProgress: (progress: VerificationProgress) => void) => Promise<AuditVerification>,
): Verifications {
  let last: Run | undefined;

  /** The check that is under way, or the one that the request has begun to wait for; else a new one. */
  function runFor(id: string | undefined): Run {
    if (last !== undefined && (!last.isDone || last.id === id)) return last;
    const run: Run = {
      id: newId('verification'),
      progress: { checked: 0, expected: 0 },
      isDone: false,
      result: work((progress) => {
        run.progress = progress;
      }).finally(() => {
        run.isDone = true;
      }),
    };
    // Whoever asks for the result gets its failure.
    run.result.catch(() => undefined);
    last = run;
    return run;
  }

  return {
    async answer({ run: id, waitMs }) {
      const run = runFor(id);
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      try {
        const verification = await Promise.race([run.result, late]);
        return verification ?? { run: run.id, ...run.progress };
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
