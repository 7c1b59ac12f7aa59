/** A call explained: each decision about it by the policy that made it. */
import type { CallStory, StoryDecision } from './call-story.ts';
import { type ExplainingPolicy, type Explanation, explain, type Unexplained } from './explanation.ts';

/** A policy that made a decision, or why it cannot be asked any more. */
export type DecidingPolicy =
  | { policy: ExplainingPolicy; signature: 'verified' | 'no keyring here' }
  | { gone: string };

export interface ExplainedDecision extends StoryDecision {
  /** Absent where the policy is gone. */
  signature?: 'verified' | 'no keyring here';
  explanation: Explanation | Unexplained;
}

/** What `interlock policy explain --json` prints. */
export interface ExplainedCall extends Omit<CallStory, 'decisions'> {
  decisions: ExplainedDecision[];
}

/** Explains a call. `policies` holds the policy of each decision by its digest. */
export function explainCall(
  { decisions, ...story }: CallStory,
  policies: ReadonlyMap<string, DecidingPolicy>,
): ExplainedCall {
  return { ...story, decisions: decisions.map((one) => explainDecision(one, policies)) };
}

function explainDecision(
  story: StoryDecision,
  policies: ReadonlyMap<string, DecidingPolicy>,
): ExplainedDecision {
  const found = policies.get(story.decision.policyDigest) ?? { gone: 'Nobody looked for the policy.' };
  if ('gone' in found) return { ...story, explanation: { kind: 'record-only', why: found.gone } };
  const explanation = explain(story, found.policy);
  return { ...story, signature: found.signature, explanation };
}
