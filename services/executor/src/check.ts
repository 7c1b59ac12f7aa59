/**
 * Whether an admitted call may be carried out. Every field that is acted on comes from the decider's signed
 * statement; the event around it is only compared with it.
 */
import {
  type Call,
  callDigestOf,
  type EventBody,
  Fault,
  parsedJsonSchema,
  type Statement,
  sha256,
  unknownObligation,
} from '@interlock/contracts';
import { type Keyring, verifyStatement } from '@interlock/keys';
import { z } from 'zod';

const argumentsSchema = z.record(z.string(), parsedJsonSchema);

/** A call as its statement allows it. */
export interface AllowedCall {
  statement: Statement<'decision'>;
  /** The arguments whose digest was signed. */
  arguments: Readonly<Record<string, unknown>>;
  argumentsText: string;
}

/** What of a call is compared with its statement. */
type Described = Pick<EventBody<'admitted'>, 'statement'> & {
  call: Pick<Call, 'tenant' | 'call' | 'arguments'>;
};

/**
 * Verifies an admitted call against its statement. It does not look at the time: see `assertInTime`.
 * Throws `statement_invalid` or `obligation_unknown`.
 */
export function checkCall(
  { call, statement: signed }: Described,
  keyring: Keyring,
  nowMs: number,
): AllowedCall {
  const statement = verifyStatement(signed, 'decision', keyring, nowMs);
  if (statement.verdict !== 'allow') throw invalid('The decision does not allow the call.');
  if (statement.tenant !== call.tenant || statement.call !== call.call)
    throw invalid('The decision is about another call.');
  if (sha256(call.arguments) !== statement.argumentsDigest)
    throw invalid('The arguments are not those that were decided.');
  if (callDigestOf(statement) !== statement.callDigest)
    throw invalid('The decision contradicts its own digest.');
  const unknown = unknownObligation(statement.obligations);
  if (unknown !== undefined)
    throw new Fault('obligation_unknown', {
      detail: `Policy obliges to ${unknown}, which nobody here carries out.`,
    });
  return { statement, arguments: readArguments(call.arguments), argumentsText: call.arguments };
}

/** Throws `deadline_passed` when a call may no longer start. */
export function assertInTime({ statement }: AllowedCall, nowMs: number): void {
  if (nowMs >= statement.notAfter) throw new Fault('deadline_passed');
}

function readArguments(text: string): Readonly<Record<string, unknown>> {
  try {
    return argumentsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault('statement_invalid', { detail: 'The arguments are not an object.', cause });
  }
}

function invalid(detail: string): Fault {
  return new Fault('statement_invalid', { detail });
}
