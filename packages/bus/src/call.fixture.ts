/** Calls and events of calls for tests of the bus. */
import {
  type Call,
  type Claim,
  callDigestOf,
  type EventBody,
  newId,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { seal } from '@interlock/keys';
import type { TestBus } from '@interlock/testkit';

/** Makes a well-formed call under a fresh id. */
export function aCall(call = newId('c')): Call {
  const identity = { tenant: 'acme', agent: 'mailer', user: 'ann', session: 's_1', call };
  const args = '{"a":1}';
  const bound = { ...identity, tool: 'echo', toolVersion: sha256('tool'), argumentsDigest: sha256(args) };
  const nowMs = Date.now();
  return {
    ...bound,
    arguments: args,
    callDigest: callDigestOf(bound),
    replyTo: 'replica',
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + 30_000,
  };
}

/** Makes the refusal of a call, with evidence the house's auditor can open. */
export function refusedOf(
  house: TestBus,
  call: Call,
  code: EventBody<'refused'>['code'] = 'policy_denied',
): EventBody<'refused'> {
  const { tenant, agent, tool } = call;
  return {
    ...{ tenant, agent, call: call.call, tool },
    ...{ at: Date.now(), by: 'decider', code, detail: 'no' },
    evidence: evidenceOf(house, call),
  };
}

/** Makes the decision about a call; nobody verifies its statement. */
export function decidedOf(call: Call): EventBody<'decided'> {
  const decision = {
    ...{ verdict: 'allow' as const, reasons: [], obligations: [], policyDigest: sha256('policy') },
    ...{ notes: [], policyVersion: 1, facts: {}, decidedAt: call.requestedAt },
  };
  return { call, decision, statement: 'unsigned' };
}

/** Makes a claim of a call. */
export function claimOf(house: TestBus, call: Call): Claim {
  const { tenant, agent, tool, session, user, toolVersion, argumentsDigest, callDigest } = call;
  return {
    ...{ tenant, agent, call: call.call, tool, session, user, toolVersion, argumentsDigest, callDigest },
    ...{ at: Date.now(), replyTo: 'r', keepResult: false, executor: 'x', nonce: newId('n') },
    ...{ claimMs: 5_000, idempotent: false, evidence: evidenceOf(house, call) },
  };
}

function evidenceOf(house: TestBus, { call }: Call) {
  return seal('{}', house.keyring.sealKeysOf('auditor', Date.now()), sealContext('evidence', call));
}
