/**
 * Whether an admitted call may be carried out. Every field that is acted on comes from the decider's signed
 * statement; the event around it is only compared with it.
 */
import type { Call, EventBody, Json, Statement } from '@interlock/contracts';
import { assertObligations, readArguments, verifyDecision } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';

/** A call as its statement allows it. */
export interface AllowedCall {
  statement: Statement<'decision'>;
  /** The arguments whose digest was signed. */
  arguments: Readonly<Record<string, Json>>;
  argumentsText: string;
}

/** What of a call is compared with its statement. */
type Described = Pick<EventBody<'admitted'>, 'statement'> & {
  call: Pick<Call, 'tenant' | 'call' | 'arguments'>;
};

/**
 * Verifies an admitted call against its statement. It does not check the time: see `assertInTime`.
 * Throws `statement_invalid` or `obligation_unknown`.
 */
export function checkCall(
  { call, statement: signed }: Described,
  keyring: Keyring,
  nowMs: number,
): AllowedCall {
  const { tenant, call: id, arguments: text } = call;
  const described = { call: { tenant, call: id, arguments: text }, statement: signed };
  const statement = verifyDecision(described, 'allow', keyring, nowMs);
  assertObligations(statement);
  return { statement, arguments: readArguments(text), argumentsText: text };
}
