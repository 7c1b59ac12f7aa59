/**
 * "This signed decision is about this very call."
 *
 * D1. The decider signed it, with a key that is certified and valid now.
 * D2. It says what the asker needs: `allow` to go on, `ask` to put the call to people.
 * D3. Nothing that the asker holds of the call contradicts it.
 * D4. Both digests are computed here: the arguments' from the arguments, the call's from the fields of the decision.
 *     A digest that came beside them proves nothing.
 *
 * It does not check the time: that counts when the call acts, see `assertInTime`.
 */
import {
  type Call,
  callDigestOf,
  Fault,
  type FaultCode,
  type Statement,
  sha256,
  unknownObligation,
} from '@interlock/contracts';
import { type Keyring, verifyStatement } from '@interlock/keys';

/** What a call's digest covers. */
type Digested =
  | 'tenant'
  | 'agent'
  | 'user'
  | 'session'
  | 'tool'
  | 'toolVersion'
  | 'argumentsDigest'
  | 'callDigest';

const COMPARED = [
  'tenant',
  'agent',
  'user',
  'session',
  'call',
  'tool',
  'toolVersion',
  'argumentsDigest',
  'callDigest',
] as const satisfies readonly ('call' | Digested)[];

/** What an asker holds of a call. Every field that is there is compared. */
export type KnownCall = Pick<Call, 'tenant' | 'call'> & Partial<Pick<Call, Digested>>;

/** A call with its signed decision. */
export interface DecidedCall {
  call: KnownCall & Pick<Call, 'arguments'>;
  statement: string;
}

/**
 * Returns the decision about a call after D1 to D4. Throws `statement_invalid` for D1, and `mismatch` for the rest.
 * docs/decisions/031
 */
export function verifyDecision(
  { call, statement }: DecidedCall,
  verdict: Statement<'decision'>['verdict'],
  keyring: Keyring,
  nowMs: number,
  mismatch: FaultCode = 'statement_invalid',
): Statement<'decision'> {
  // D1
  const decision = verifyStatement(statement, 'decision', keyring, nowMs);
  // D2
  if (decision.verdict !== verdict)
    throw new Fault(mismatch, {
      detail:
        verdict === 'allow'
          ? 'The decision does not allow the call.'
          : 'The decision does not ask a person about the call.',
    });
  assertSameCall(call, decision, mismatch);
  assertDigests({ ...decision, arguments: call.arguments }, mismatch);
  return decision;
}

/** Throws `mismatch` when something that is known of a call contradicts its decision (D3). */
export function assertSameCall(
  known: KnownCall,
  decision: Statement<'decision'>,
  mismatch: FaultCode = 'statement_invalid',
): void {
  const field = COMPARED.find((one) => known[one] !== undefined && known[one] !== decision[one]);
  if (field !== undefined)
    throw new Fault(mismatch, { detail: `The decision is about another call: ${field} differs.` });
}

/** Throws `mismatch` when a call does not have the digests that stand beside it (D4). */
export function assertDigests(
  call: Pick<Call, Digested | 'arguments'>,
  mismatch: FaultCode = 'statement_invalid',
): void {
  if (sha256(call.arguments) !== call.argumentsDigest)
    throw new Fault(mismatch, { detail: 'The arguments do not match their digest.' });
  if (callDigestOf(call) !== call.callDigest)
    throw new Fault(mismatch, { detail: 'The call does not match its digest.' });
}

/** Throws `deadline_passed` from the last instant of a decided call on: nothing starts then. */
export function assertInTime({ notAfter }: Pick<Statement<'decision'>, 'notAfter'>, nowMs: number): void {
  if (notAfter <= nowMs) throw new Fault('deadline_passed');
}

/**
 * Throws `obligation_unknown` for an obligation that no service carries out: it may be the condition under which the
 * call was allowed.
 */
export function assertObligations({ obligations }: Pick<Statement<'decision'>, 'obligations'>): void {
  const unknown = unknownObligation(obligations);
  if (unknown !== undefined)
    throw new Fault('obligation_unknown', {
      detail: `Policy attached the obligation ${unknown} to this call, and no service carries that out.`,
    });
}
