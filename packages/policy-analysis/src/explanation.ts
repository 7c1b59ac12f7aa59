/** Why a decision was made and what would have changed it, evaluated by the policy that decided. */
import {
  type DecisionRecord,
  Fault,
  type PolicyAnswer,
  type PolicyExplanation,
  type Verdict,
} from '@interlock/contracts';
import { bundleSources, policyWith } from '@interlock/policy';
import { z } from 'zod';
import { type Counterfactual, counterfactualsOf } from './counterfactuals.ts';
import { withGrants } from './grant-suggestion.ts';
import { grantsFor, type SuggestedGrant } from './grants.ts';
import { type Evaluator, type Outcome, outcomeOf } from './outcomes.ts';
import { createProbe, type Explainer, type Probe } from './probe.ts';
import { inputOf, isSame } from './recorded-input.ts';
import { type RuleFacts, ruleFactsOf } from './rule-facts.ts';

/** A policy with its data, so that it can also be evaluated with other data. */
export interface ExplainablePolicy extends Explainer {
  data: unknown;
  with(change: (own: Record<string, unknown>) => Record<string, unknown>): Evaluator;
}

/** Returns the policy of a bundle as one that can be explained. */
export function explainablePolicy(policy: Explainer, bundle: Uint8Array): ExplainablePolicy {
  return {
    evaluate: (input) => policy.evaluate(input),
    explain: (input) => policy.explain(input),
    data: bundleSources(bundle).data,
    with: (change) => policyWith(bundle, change),
  };
}

export interface RecordedDecision {
  decision: DecisionRecord;
  /** Canonical JSON. */
  arguments: string;
}

/** Whether the policy answers the same again, and otherwise what it answers now. */
export type Repetition = { same: true } | { same: false; now: PolicyAnswer | 'no answer' };

export interface Explanation {
  kind: 'whole';
  repeated: Repetition;
  /** Every output of every rule. */
  outputs: PolicyExplanation;
  rules: RuleFacts[];
  counterfactuals: Counterfactual[];
  /** Where no rule allows the call: the narrowest grant for it, and the outcome with it. */
  grant?: SuggestedGrant & { outcome: Outcome };
  /** Variants of the input that were evaluated, and those that were not because there were too many. */
  questions: { asked: number; unasked: number };
}

/** A decision that cannot be evaluated again: only its record is known. */
export interface Unexplained {
  kind: 'record-only';
  why: string;
}

/** Explains a recorded decision. */
export function explain(
  { decision, arguments: argumentsText }: RecordedDecision,
  policy: ExplainablePolicy,
  variantsMax?: number,
): Explanation | Unexplained {
  const read = inputOf(decision.facts, argumentsText);
  if ('unreadable' in read)
    return {
      kind: 'record-only',
      why: `The recorded input does not have the form of a policy input today: ${read.unreadable}.`,
    };
  const repeated = repeat(policy, read.input, decision);
  const facts = createProbe(policy, read.input, variantsMax);
  const outputs = facts.outputs(facts.input);
  const rules = ruleFactsOf(facts);
  if (outputs === undefined || rules === undefined)
    return { kind: 'record-only', why: 'The policy gives no answer about this call.' };
  const changes = createProbe(policy, read.input, variantsMax);
  const decided = {
    verdict: decision.verdict,
    data: dataOf(policy.data, stoppingRules(decision.verdict, outputs)),
  };
  const counterfactuals = counterfactualsOf(changes, decided);
  const [grant] = outputs.allow.length === 0 ? grantsFor([read.input]) : [];
  return {
    kind: 'whole',
    repeated,
    outputs,
    rules,
    counterfactuals,
    ...(grant === undefined ? {} : { grant: { ...grant, outcome: withGrant(policy, grant, read.input) } }),
    questions: total(facts, changes),
  };
}

function repeat(policy: Evaluator, input: object, decision: DecisionRecord): Repetition {
  const { verdict, reasons, obligations, notes } = decision;
  try {
    const now = policy.evaluate(input);
    return isSame(now, { verdict, reasons, obligations, notes }) ? { same: true } : { same: false, now };
  } catch (error) {
    if (error instanceof Fault && error.code === 'policy_error') return { same: false, now: 'no answer' };
    throw error;
  }
}

/** Returns the rules that stop the call: those that deny or ask, and `allow_listed` where none allows it. */
function stoppingRules(verdict: Verdict, { deny, ask, allow }: PolicyExplanation): string[] {
  const rules = verdict === 'deny' && deny.length > 0 ? deny : ask;
  return [...new Set([...rules.map(({ rule }) => rule), ...(allow.length === 0 ? ['allow_listed'] : [])])];
}

const documentSchema = z.record(z.string(), z.unknown());

/** Returns what rules read below `data.config` and below `data` under their own names. */
function dataOf(data: unknown, rules: readonly string[]): unknown[] {
  const whole = documentSchema.safeParse(data).data ?? {};
  const config = documentSchema.safeParse(whole['config']).data ?? {};
  return rules.flatMap((rule) => [config[rule], whole[rule]]).filter((value) => value !== undefined);
}

function withGrant(
  policy: ExplainablePolicy,
  { grant }: SuggestedGrant,
  input: Parameters<typeof outcomeOf>[1],
): Outcome {
  return outcomeOf(
    policy.with((own) => withGrants(own, [grant])),
    input,
  ).outcome;
}

function total(...probes: Probe[]): Explanation['questions'] {
  const sum = (of: (probe: Probe) => number) => probes.reduce((so, probe) => so + of(probe), 0);
  return { asked: sum((probe) => probe.asked), unasked: sum((probe) => probe.unasked) };
}
