/** What a policy says about a call that nobody made. */
import {
  canonicalJson,
  type DecisionRecord,
  decisionRecordSchema,
  type PolicyAnswer,
  type PolicyInput,
} from '@interlock/contracts';
import { type ExplainablePolicy, type Explanation, explain, type Unexplained } from './explanation.ts';

/** The decision about a call that nobody made, explained as that of a recorded one. */
export interface ImaginedCall {
  tenant: string;
  agent: string;
  tool: string;
  at: number;
  decision: DecisionRecord;
  explanation: Explanation | Unexplained;
}

/** Evaluates a policy about an input. Throws `policy_error` where it gives no well-formed answer. */
export function imaginedCall(
  input: PolicyInput,
  policy: ExplainablePolicy,
  { version, digest }: { version: number; digest: string },
): ImaginedCall {
  const answer: PolicyAnswer = policy.evaluate(input);
  const { arguments: given, ...facts } = input;
  const at = input.context.epochMs;
  const decision = {
    ...answer,
    policyDigest: digest,
    policyVersion: version,
    facts: decisionRecordSchema.shape.facts.parse(facts),
    decidedAt: at,
  };
  const { tenant, agent } = input.subject;
  const explanation = explain({ decision, arguments: canonicalJson(given) }, policy);
  return { tenant, agent, tool: input.tool.name, at, decision, explanation };
}
