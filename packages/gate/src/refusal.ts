import {
  type Evidence,
  type Fault,
  faults,
  type Refused,
  type ServiceName,
  sealContext,
} from '@interlock/contracts';
import { type Keyring, seal } from '@interlock/keys';
import { boundedEvidence } from './evidence.ts';

/** Stands in a refusal for an agent or a tool that the service which refuses does not know. */
export const UNKNOWN_NAME = 'unknown';
/** What `refused` takes as public words. */
const DETAIL_MAX_LENGTH = 2_000;
const NEXT_MAX_LENGTH = 1_000;

/** Whose call is refused, by whom, why, and what is known of it. */
export interface Refusing {
  call: Pick<Refused, 'tenant' | 'agent' | 'call' | 'tool'> & { argumentsDigest?: string | undefined };
  by: ServiceName;
  fault: Fault;
  evidence: Evidence;
}

/** Returns the refusal of a call, with its record sealed for the auditor. */
export function refusedEvent(
  { call, by, fault, evidence }: Refusing,
  keyring: Keyring,
  nowMs: number,
): Refused {
  const record: Evidence = boundedEvidence({
    ...evidence,
    detail: { code: fault.code, text: fault.detail, ...evidence.detail },
  });
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
    ...(fault.next === faults[fault.code].next ? {} : { next: fault.next.slice(0, NEXT_MAX_LENGTH) }),
    ...(call.argumentsDigest === undefined ? {} : { argumentsDigest: call.argumentsDigest }),
    evidence: seal(
      JSON.stringify(record),
      keyring.sealKeysOf('auditor', nowMs),
      sealContext('evidence', call.call),
    ),
  };
}
