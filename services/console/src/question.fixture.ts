import { type Call, digestOf, type HeldCall, type Question, type QuestionEntry } from '@interlock/contracts';
import type { Keyring } from '@interlock/keys';
import { sealedFor } from '@interlock/testkit';

/** Makes an open question about a call as the approver does. `sealedCall` is the call in its sealed record. */
export function makeQuestion(
  call: Call,
  keyring: Keyring,
  { sealedCall = call }: { sealedCall?: Call } = {},
): QuestionEntry {
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest } = call;
  const question: Question = {
    ...{ tenant, agent, user, session, call: call.call, tool, toolVersion, argumentsDigest, callDigest },
    ...{ reasons: [], roles: ['approver'], separateDuties: false },
    ...{ askedAt: call.requestedAt, expiresAt: call.notAfter },
  };
  const content = heldCall(sealedCall);
  return {
    question,
    questionDigest: digestOf(question),
    sealed: sealedFor('console', call.call, keyring, { purpose: 'held', content }),
    state: 'open',
    rejected: [],
  };
}

function heldCall(call: Call): HeldCall {
  return {
    call,
    decision: {
      ...{ verdict: 'ask', reasons: [], obligations: [], policyDigest: call.toolVersion, notes: [] },
      ...{ policyVersion: 1, facts: {}, decidedAt: call.requestedAt },
    },
    statement: 'the console does not verify it',
    heldSequence: 1,
  };
}
