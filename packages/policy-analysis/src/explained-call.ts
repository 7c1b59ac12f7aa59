/** A call explained: each decision about it by the policy that made it. */
import type { AuditedCall, AuditedDecision } from './audited-call.ts';
import { type ExplainablePolicy, type Explanation, explain, type Unexplained } from './explanation.ts';

/** A policy that made a decision, or why it is not available. */
export type DecidingPolicy =
  | { policy: ExplainablePolicy; signature: 'verified' | 'no keyring here' }
  | { unavailable: string };

export interface ExplainedDecision extends AuditedDecision {
  /** Absent where the policy is not available. */
  signature?: 'verified' | 'no keyring here';
  explanation: Explanation | Unexplained;
}

/** What `interlock policy explain --json` prints. */
export interface ExplainedCall extends Omit<AuditedCall, 'decisions'> {
  decisions: ExplainedDecision[];
}

/** Explains a call. `policies` has the policy of each decision by its digest. */
export function explainCall(
  { decisions, ...call }: AuditedCall,
  policies: ReadonlyMap<string, DecidingPolicy>,
): ExplainedCall {
  return { ...call, decisions: decisions.map((one) => explainDecision(one, policies)) };
}

function explainDecision(
  audited: AuditedDecision,
  policies: ReadonlyMap<string, DecidingPolicy>,
): ExplainedDecision {
  const found = policies.get(audited.decision.policyDigest);
  if (found === undefined) throw new TypeError('The policy of every decision must be among the policies.');
  if ('unavailable' in found)
    return { ...audited, explanation: { kind: 'record-only', why: found.unavailable } };
  const explanation = explain(audited, found.policy);
  return { ...audited, signature: found.signature, explanation };
}
