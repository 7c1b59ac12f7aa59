import type { Problem } from './api.ts';
import { type Call, type EventBody, type Evidence, type Refused, sealContext } from './events.ts';
import { Fault } from './fault.ts';
import { faults } from './faults.ts';
import type { Keyring } from './keyring.ts';
import type { ServiceName } from './lifecycle.ts';
import { seal } from './seal.ts';
import { type Statement, verifyStatement } from './statements.ts';

/** What `refused` takes as public words. */
const DETAIL_MAX_LENGTH = 2_000;

/** Whose call is refused, by whom, why, and what is known of it. */
export interface Refusing {
  call: Pick<Refused, 'tenant' | 'agent' | 'call' | 'tool'> & { argumentsDigest?: string | undefined };
  by: ServiceName;
  fault: Fault;
  evidence: Evidence;
}

/** Returns the refusal of a call, with the whole record sealed for the auditor. */
export function refusedEvent(
  { call, by, fault, evidence }: Refusing,
  keyring: Keyring,
  nowMs: number,
): Refused {
  const record: Evidence = {
    ...evidence,
    detail: { code: fault.code, said: fault.detail, ...evidence.detail },
  };
  return {
    tenant: call.tenant,
    agent: call.agent,
    call: call.call,
    tool: call.tool,
    at: nowMs,
    by,
    code: fault.code,
    detail: fault.detail.slice(0, DETAIL_MAX_LENGTH),
    ...(fault.rule === undefined ? {} : { rule: fault.rule }),
    ...(fault.pointer === undefined ? {} : { pointer: fault.pointer }),
    ...(fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }),
    ...(call.argumentsDigest === undefined ? {} : { argumentsDigest: call.argumentsDigest }),
    evidence: seal(
      JSON.stringify(record),
      keyring.sealKeysOf('auditor', nowMs),
      sealContext('evidence', call.call),
    ),
  };
}

/** Returns the problem document (RFC 9457) of a fault or of a stored refusal, about a call where there is one. */
export function problemOf(
  refusal: Pick<Fault, 'code' | 'detail'> & { rule?: string | undefined; pointer?: string | undefined },
  call?: string,
): Problem {
  const { text, next, status } = faults[refusal.code];
  return {
    type: `urn:interlock:fault:${refusal.code}`,
    title: text,
    status,
    detail: refusal.detail,
    code: refusal.code,
    ...(refusal.rule === undefined ? {} : { rule: refusal.rule }),
    ...(call === undefined ? {} : { call }),
    ...(refusal.pointer === undefined ? {} : { pointer: refusal.pointer }),
    next: call === undefined ? next : next.replace('{call}', call),
  };
}

const NAMED = [
  'tenant',
  'agent',
  'user',
  'session',
  'call',
  'tool',
  'toolVersion',
  'argumentsDigest',
  'callDigest',
] as const satisfies readonly (keyof Call & keyof Statement<'decision'>)[];

/**
 * Returns the decision an event carries, after checking that it is authentic, says `verdict`, and is about the very
 * call beside it. Throws `statement_invalid`.
 */
export function verifyDecision(
  { call, statement }: EventBody<'decided'>,
  verdict: 'allow' | 'ask',
  keyring: Keyring,
  nowMs: number,
): Statement<'decision'> {
  const decision = verifyStatement(statement, 'decision', keyring, nowMs);
  if (decision.verdict === verdict && NAMED.every((field) => decision[field] === call[field]))
    return decision;
  throw new Fault('statement_invalid', {
    detail: 'The decision is not about this call, or not what it is taken for.',
  });
}
