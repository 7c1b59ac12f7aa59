import { type Call, type EventBody, Fault, type Statement } from '@interlock/contracts';
import { type Keyring, verifyStatement } from '@interlock/keys';

const NAMED = [
  'tenant',
  'agent',
  'user',
  'session',
  'call',
  'tool',
  'toolVersion',
  'argumentsDigest',
  'callDigest',
] as const satisfies readonly (keyof Call & keyof Statement<'decision'>)[];

/**
 * Returns the decision an event carries, after checking that it is authentic, says `verdict`, and is about the very
 * call beside it. Throws `statement_invalid`. docs/decisions/031
 */
export function verifyDecision(
  { call, statement }: EventBody<'decided'>,
  verdict: 'allow' | 'ask',
  keyring: Keyring,
  nowMs: number,
): Statement<'decision'> {
  const decision = verifyStatement(statement, 'decision', keyring, nowMs);
  if (decision.verdict === verdict && NAMED.every((field) => decision[field] === call[field]))
    return decision;
  throw new Fault('statement_invalid', {
    detail: 'The decision is not about this call, or not what it is taken for.',
  });
}
