import type { Delivery } from '@interlock/bus';
import type { EventBody, Fault, QuestionEntry } from '@interlock/contracts';
import { refusedEvent } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';

/** Returns the refusal of a held call, with the whole record sealed for the auditor. */
export function refusalOfHeld(
  { event }: Delivery<'held'>,
  fault: Fault,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  return refusedEvent({ call: event.call, by: 'approver', fault, evidence: event }, keyring, nowMs);
}

/** Returns the refusal of a call whose answer cannot be handled. */
export function refusalOfAnswered(
  { event }: Delivery<'answered'>,
  fault: Fault,
  { question }: QuestionEntry,
  keyring: Keyring,
  nowMs: number,
): EventBody<'refused'> {
  const evidence = { statement: event.statement };
  return refusedEvent({ call: question, by: 'approver', fault, evidence }, keyring, nowMs);
}
