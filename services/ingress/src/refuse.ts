import {
  type EventBody,
  type Evidence,
  type Fault,
  type Keyring,
  seal,
  sealContext,
} from '@interlock/contracts';

/** Whom a refusal is about. */
export interface RefusedCall {
  tenant: string;
  agent: string;
  call: string;
  tool: string;
  argumentsDigest?: string;
}

/** Returns ingress's refusal of a call, with the evidence sealed for the auditor. */
export function refusalOf(
  { tenant, agent, call, tool, argumentsDigest }: RefusedCall,
  fault: Fault,
  evidence: Evidence,
  { keyring, nowMs }: { keyring: Keyring; nowMs: number },
): EventBody<'refused'> {
  return {
    tenant,
    agent,
    call,
    tool,
    at: nowMs,
    by: 'ingress',
    code: fault.code,
    detail: fault.detail,
    ...(fault.pointer === undefined ? {} : { pointer: fault.pointer }),
    ...(fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }),
    ...(argumentsDigest === undefined ? {} : { argumentsDigest }),
    evidence: seal(
      JSON.stringify(evidence),
      keyring.sealKeysOf('auditor', nowMs),
      sealContext('evidence', call),
    ),
  };
}
