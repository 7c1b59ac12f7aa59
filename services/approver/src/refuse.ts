import type { Delivery } from '@interlock/bus';
import {
  type EventBody,
  type Evidence,
  type Fault,
  type Keyring,
  type QuestionEntry,
  seal,
  sealContext,
} from '@interlock/contracts';

/** Returns the refusal of a held call, with the whole record sealed for the auditor. */
export function refusalOfHeld(
  { event, address }: Delivery<'held'>,
  fault: Fault,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  const { call, decision, statement } = event;
  const { tenant } = address;
  const { agent, tool, argumentsDigest } = call;
  return {
    ...refusal(
      { tenant, agent, call: address.call, tool },
      fault,
      { call, decision, statement },
      keyring,
      nowMs,
    ),
    argumentsDigest,
  };
}

/** Returns the refusal of a call whose answer cannot be handled; `entry` is its question where that is known. */
export function refusalOfAnswered(
  { event, address }: Delivery<'answered'>,
  fault: Fault,
  entry: QuestionEntry | undefined,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  const { tenant, call } = address;
  const { agent, tool } = entry?.question ?? { agent: 'unknown', tool: 'unknown' };
  return refusal({ tenant, agent, call, tool }, fault, { statement: event.statement }, keyring, nowMs);
}

function refusal(
  head: Pick<EventBody<'refused'>, 'tenant' | 'agent' | 'call' | 'tool'>,
  fault: Fault,
  known: Evidence,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  const evidence = JSON.stringify({ ...known, detail: { code: fault.code, said: fault.detail } });
  return {
    ...head,
    at: nowMs,
    by: 'approver',
    code: fault.code,
    detail: fault.detail,
    ...(fault.rule === undefined ? {} : { rule: fault.rule }),
    evidence: seal(evidence, keyring.sealKeysOf('auditor', nowMs), sealContext('evidence', head.call)),
  };
}
