import type { Delivery } from '@interlock/bus';
import {
  type Claim,
  type EventBody,
  type Evidence,
  type Fault,
  newId,
  sealContext,
  type Tool,
} from '@interlock/contracts';
import { refusedEvent } from '@interlock/gate';
import { type Keyring, seal } from '@interlock/keys';
import type { AllowedCall } from './check.ts';

/** What stands in a claim besides the fields of the statement. */
export interface ClaimFacts {
  tool: Tool;
  /** Where the result goes, and whether it is kept; not signed, for nothing depends on them but who may read. */
  route: { replyTo: string; keepResult: boolean };
  evidence: Evidence;
  executor: string;
  leaseKey: string | undefined;
}

/**
 * Returns the claim of a call, with a fresh nonce. Of a call that may be claimed again the record is sealed for
 * executors, too, which need its arguments to carry it out again.
 */
export function claimOf(
  { statement }: AllowedCall,
  { tool, route, evidence, executor, leaseKey }: ClaimFacts,
  keyring: Keyring,
  nowMs: number,
): Claim {
  const { tenant, agent, user, session, call, toolVersion, argumentsDigest, callDigest } = statement;
  const readers = keyring.sealKeysOf('auditor', nowMs);
  if (tool.idempotent) readers.push(...keyring.sealKeysOf('executor', nowMs));
  return {
    ...{ tenant, agent, user, session, call, tool: tool.name, toolVersion, argumentsDigest, callDigest },
    at: nowMs,
    ...route,
    executor,
    nonce: newId('claim'),
    claimMs: tool.claimMs,
    idempotent: tool.idempotent,
    ...(leaseKey === undefined ? {} : { leaseKey }),
    evidence: seal(JSON.stringify(evidence), readers, sealContext('evidence', call)),
  };
}

/** Returns the refusal of an admitted call, with the whole record sealed for the auditor. */
export function refusalOf(
  { event, address }: Pick<Delivery<'admitted'>, 'event' | 'address'>,
  fault: Fault,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  const call = { ...event.call, tenant: address.tenant, call: address.call };
  return refusedEvent({ call, by: 'executor', fault, evidence: event }, keyring, nowMs);
}
