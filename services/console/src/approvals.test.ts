import {
  callDigestOf,
  digestOf,
  type HeldCall,
  type Question,
  type QuestionEntry,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { createKey, Keyring, seal, serviceKeysSchema } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { stateOfAnswer } from './approvals.ts';
import { openQuestion } from './questions.ts';

const FAR_MS = 4_000_000_000_000;
const sealPair = createKey('console', 'seal', FAR_MS);
const signPair = createKey('console', 'sign', FAR_MS);
const keyring = new Keyring([sealPair.certified]);
const keys = serviceKeysSchema.parse({
  service: 'console',
  busSeed: 'none',
  sign: { keyId: signPair.certified.keyId, privateKey: signPair.privateKey },
  seal: { keyId: sealPair.certified.keyId, privateKey: sealPair.privateKey },
});

const identity = { tenant: 'acme', agent: 'helper', user: 'ada', session: 'ses_1', call: 'call_1' };
const digest = 'a'.repeat(64);

function heldCall(argumentsText: string): HeldCall {
  const named = { ...identity, tool: 'pay', toolVersion: digest, argumentsDigest: sha256(argumentsText) };
  return {
    call: {
      ...named,
      callDigest: callDigestOf(named),
      arguments: argumentsText,
      replyTo: 'rep_1',
      keepResult: true,
      requestedAt: 1,
      notAfter: 2,
    },
    decision: {
      verdict: 'ask',
      reasons: [],
      obligations: [],
      policyDigest: digest,
      notes: [],
      policyVersion: 1,
      facts: {},
      decidedAt: 1,
    },
    statement: 'not looked at here',
    heldSequence: 1,
  };
}

function entryFor(asked: HeldCall, sealedCall: HeldCall = asked): QuestionEntry {
  const { tool, toolVersion, argumentsDigest, callDigest } = asked.call;
  const question: Question = {
    ...identity,
    tool,
    toolVersion,
    argumentsDigest,
    callDigest,
    reasons: [],
    roles: ['approver'],
    separateDuties: false,
    askedAt: 1,
    expiresAt: 2,
  };
  const recipients = keyring.sealKeysOf('console', 1);
  return {
    question,
    questionDigest: digestOf(question),
    sealed: seal(JSON.stringify(sealedCall), recipients, sealContext('held', identity.call)),
    state: 'open',
    rejected: [],
  };
}

describe('a question', () => {
  test('[P-approval-exact-call] is not shown with other arguments than it was asked about', () => {
    const swapped = entryFor(heldCall('{"amount":9000}'), heldCall('{"amount":1}'));
    expect(() => openQuestion(swapped, keys.seal)).toThrow(
      expect.objectContaining({ code: 'answer_mismatch' }),
    );
  });

  test('is not shown when it was changed after its digest was made', () => {
    const entry = entryFor(heldCall('{"amount":1}'));
    const changed = { ...entry, question: { ...entry.question, roles: ['anybody'] } };
    expect(() => openQuestion(changed, keys.seal)).toThrow(
      expect.objectContaining({ code: 'answer_mismatch' }),
    );
  });

  test('is shown with the exact arguments', () => {
    const opened = openQuestion(entryFor(heldCall('{"amount":1,"to":"bob"}')), keys.seal);
    expect(opened).toMatchObject({ call: 'call_1', tool: 'pay', arguments: { amount: 1, to: 'bob' } });
  });
});

describe('an answer', () => {
  const open = entryFor(heldCall('{}'));

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

  test('counts when the question says that it did, and not before', () => {
    expect(stateOfAnswer(open, 'ans_1')).toBeUndefined();
    expect(stateOfAnswer({ ...open, state: 'denied', answer: 'ans_1' }, 'ans_1')).toBe('denied');
  });
});
