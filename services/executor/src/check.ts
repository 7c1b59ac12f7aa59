/**
 * Whether an admitted call may be carried out. Every field that is acted on comes from the decider's signed
 * statement; the event around it is only compared with it.
 */
import {
  type Call,
  callDigestOf,
  type EventBody,
  Fault,
  type Keyring,
  parsedJsonSchema,
  type Statement,
  sha256,
  verifyStatement,
} from '@interlock/contracts';
import { z } from 'zod';

/**
 * Obligations the executor knows: both are carried out elsewhere (the approver asked, the auditor records).
 * One it does not know might be the condition under which the call was allowed, so such a call is refused.
 */
const KNOWN_OBLIGATIONS: ReadonlySet<string> = new Set(['approval', 'audit']);

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
 * Throws `statement_invalid` or `policy_error`.
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
  const unknown = statement.obligations.find(({ name }) => !KNOWN_OBLIGATIONS.has(name));
  if (unknown !== undefined)
    throw new Fault('policy_error', {
      detail: `Policy obliges to ${unknown.name}, which nobody here carries out.`,
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
