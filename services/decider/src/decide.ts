import {
  type Call,
  type DecisionRecord,
  decisionRecordSchema,
  type EventBody,
  Fault,
  type FaultCode,
  faults,
  type Json,
  type PolicyAnswer,
  type PolicyInput,
  type Statement,
} from '@interlock/contracts';
import { refusedEvent } from '@interlock/gate';
import { type Keyring, type ServiceKeys, signStatement } from '@interlock/keys';
import { type Facts, policyInput } from './facts.ts';
import type { Shadow } from './shadow.ts';

/** What a decision is signed with, and for whom its evidence is sealed. */
export interface Authority {
  keys: Pick<ServiceKeys, 'sign' | 'seal'>;
  keyring: Keyring;
}

/** A policy, as far as a decision needs one. */
export interface Decider {
  digest: string;
  version: number;
  evaluate(input: PolicyInput): PolicyAnswer;
  /** The candidate, which is asked afterwards. */
  shadow: Pick<Shadow, 'ask'>;
}

export type Decided = { step: 'decided'; body: EventBody<'decided'> };
export type Held = { step: 'held'; body: EventBody<'held'> };
export type Refusal = { step: 'refused'; body: EventBody<'refused'> };

/**
 * Decides a call: `decided` where policy allows it, `held` where a person must be asked, else `refused`.
 * An approved call that policy would ask about again is refused: people are asked once about a call.
 * Throws `policy_error` when policy gives no well-formed answer.
 */
export function decide(
  facts: Facts,
  policy: Decider,
  authority: Authority,
  nowMs: number,
): Decided | Held | Refusal {
  const input = policyInput(facts, nowMs);
  const answer = policy.evaluate(input);
  const shadow = policy.shadow.ask(input, answer.verdict);
  const decision = {
    ...recordOf(answer, input, policy, nowMs),
    ...(shadow === undefined ? {} : { shadow }),
  };
  switch (answer.verdict) {
    case 'allow':
      return { step: 'decided', body: signed(facts.call, 'allow', facts, decision, authority) };
    case 'ask':
      if (facts.approval !== undefined)
        return refusal(facts.call, policyRefusal('approval_insufficient', decision), authority, nowMs);
      return {
        step: 'held',
        body: signed({ ...facts.call, keepResult: true }, 'ask', facts, decision, authority),
      };
    case 'deny': {
      const code = decision.reasons.length === 0 ? 'policy_default' : 'policy_denied';
      return refusal(facts.call, policyRefusal(code, decision), authority, nowMs);
    }
    default:
      return answer.verdict satisfies never;
  }
}

/** Why a call is refused, and what its record holds beside the call. */
export interface RefusalDetails {
  code: FaultCode;
  /** Public. */
  detail: string;
  rule?: string;
  decision?: DecisionRecord;
  evidence?: Record<string, Json>;
}

/** As much of a call as a refusal must name. */
export type NamedCall = Pick<Call, 'tenant' | 'agent' | 'call' | 'tool'> & Partial<Call>;

/** Returns the refusal of a call, with the whole record sealed for the auditor. */
export function refusal(
  call: NamedCall,
  details: RefusalDetails,
  { keyring }: Authority,
  nowMs: number,
): Refusal {
  const { code, detail, rule, decision, evidence } = details;
  const fault = new Fault(code, { detail, ...(rule === undefined ? {} : { rule }) });
  const record = {
    call,
    ...(decision === undefined ? {} : { decision }),
    ...(evidence === undefined ? {} : { detail: evidence }),
  };
  return {
    step: 'refused',
    body: refusedEvent({ call, by: 'decider', fault, evidence: record }, keyring, nowMs),
  };
}

/** Returns the details of the refusal that a fault makes. */
export function detailsOf(fault: Fault): RefusalDetails {
  return {
    code: fault.code,
    detail: fault.detail,
    ...(fault.rule === undefined ? {} : { rule: fault.rule }),
  };
}

function policyRefusal(code: FaultCode, decision: DecisionRecord): RefusalDetails {
  const [first] = decision.reasons;
  if (first === undefined) return { code, detail: faults[code].text, decision };
  const detail = decision.reasons.map(({ text }) => text).join(' ');
  return { code, detail, rule: first.rule, decision };
}

/** Returns what is kept of a decision as evidence. */
export function recordOf(
  answer: PolicyAnswer,
  input: PolicyInput,
  policy: Pick<Decider, 'digest' | 'version'>,
  nowMs: number,
): DecisionRecord {
  // The call holds the arguments already. Everything else is kept as policy saw it.
  const { arguments: _, ...facts } = input;
  return {
    ...answer,
    policyDigest: policy.digest,
    policyVersion: policy.version,
    facts: decisionRecordSchema.shape.facts.parse(facts),
    decidedAt: nowMs,
  };
}

function signed(
  call: Call,
  verdict: 'allow' | 'ask',
  { approval }: Facts,
  decision: DecisionRecord,
  { keys }: Authority,
): EventBody<'decided'> {
  const statement: Statement<'decision'> = {
    type: 'decision',
    tenant: call.tenant,
    agent: call.agent,
    user: call.user,
    session: call.session,
    call: call.call,
    tool: call.tool,
    toolVersion: call.toolVersion,
    argumentsDigest: call.argumentsDigest,
    callDigest: call.callDigest,
    verdict,
    obligations: decision.obligations,
    policyDigest: decision.policyDigest,
    ...(approval === undefined ? {} : { approval }),
    issuedAt: decision.decidedAt,
    notAfter: call.notAfter,
  };
  return { call, decision, statement: signStatement(statement, keys.sign) };
}
