import type { Delivery } from '@interlock/bus';
import { type EventBody, type Fault, type Keyring, seal, sealContext } from '@interlock/contracts';

/** Returns the refusal of a decided call, with the whole record sealed for the auditor. */
export function refusalOf(
  { event, address }: Delivery<'decided'>,
  fault: Fault,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  const { call, decision, statement } = event;
  const evidence = JSON.stringify({
    call,
    decision,
    statement,
    detail: { code: fault.code, said: fault.detail },
  });
  return {
    tenant: address.tenant,
    agent: call.agent,
    call: address.call,
    tool: call.tool,
    at: nowMs,
    by: 'limiter',
    code: fault.code,
    detail: fault.detail,
    ...(fault.rule === undefined ? {} : { rule: fault.rule }),
    ...(fault.pointer === undefined ? {} : { pointer: fault.pointer }),
    ...(fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }),
    argumentsDigest: call.argumentsDigest,
    evidence: seal(evidence, keyring.sealKeysOf('auditor', nowMs), sealContext('evidence', address.call)),
  };
}
