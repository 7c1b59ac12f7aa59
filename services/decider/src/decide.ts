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
  type PolicyExplanation,
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
  /** Returns what every rule said; asked where the answer is a denial. */
  explain(input: PolicyInput): PolicyExplanation;
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
      const details = denialDetails(decision, explained(policy, input));
      return refusal(facts.call, details, authority, nowMs);
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
  /** What the agent can do, where the code does not say it. */
  next?: string;
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
  const { code, detail, rule, next, decision, evidence } = details;
  const fault = new Fault(code, {
    detail,
    ...(rule === undefined ? {} : { rule }),
    ...(next === undefined ? {} : { next }),
  });
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
    next: fault.next,
  };
}

/** An explanation that policy cannot give changes nothing about its denial. */
function explained(policy: Pick<Decider, 'explain'>, input: PolicyInput): PolicyExplanation | undefined {
  try {
    return policy.explain(input);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/**
 * Returns why policy denies a call. That nothing grants the call is said before what other rules say: while it is so,
 * nothing else that the agent does or waits for helps. Where every denial ends by itself, the agent is told when.
 */
function denialDetails(decision: DecisionRecord, explanation: PolicyExplanation | undefined): RefusalDetails {
  const { reasons } = decision;
  const isGranted = explanation === undefined || explanation.allow.length > 0;
  if (reasons.length === 0 || !isGranted) {
    const detail = [faults.policy_default.text, ...reasons.map(({ text }) => text)].join(' ');
    return { code: 'policy_default', detail, decision };
  }
  const details = policyRefusal('policy_denied', decision);
  const ends = reasons.map(({ rule }) => explanation?.until.find((one) => one.rule === rule)?.text);
  if (ends.some((end) => end === undefined)) return details;
  const next = `Make a new call, with a new Idempotency-Key if it had one, ${[...new Set(ends)].join(' and ')}.`;
  return { ...details, next };
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
