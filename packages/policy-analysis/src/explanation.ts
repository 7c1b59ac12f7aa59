/** Why one decision came out as it did, and what would have changed it: asked of the very policy that decided. */
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
import { type GrantFor, grantsFor } from './grants.ts';
import { type Ground, groundsOf } from './grounds.ts';
import { createProbe, type Explainer, type Probe } from './probe.ts';
import { inputOf, isSame } from './recorded.ts';
import { withGrants } from './suggestion.ts';
import { ask, type Judge, type Outcome } from './verdicts.ts';

/** A policy that decided, with its data, so that it can be asked what it would say with other data. */
export interface ExplainingPolicy extends Explainer {
  data: unknown;
  with(change: (own: Record<string, unknown>) => Record<string, unknown>): Judge;
}

/** Returns a bundle's policy with what an explanation needs beside it. */
export function explaining(policy: Explainer, bundle: Uint8Array): ExplainingPolicy {
  return {
    evaluate: (input) => policy.evaluate(input),
    explain: (input) => policy.explain(input),
    data: bundleSources(bundle).data,
    with: (change) => policyWith(bundle, change),
  };
}

/** A decision as it was recorded. */
export interface RecordedDecision {
  decision: DecisionRecord;
  /** Canonical JSON. */
  arguments: string;
}

/** What policy says of the same input again. */
export type Repetition = { same: true } | { same: false; now: PolicyAnswer | 'no answer' };

export interface Explanation {
  kind: 'whole';
  repeated: Repetition;
  /** Every word of every rule. */
  words: PolicyExplanation;
  grounds: Ground[];
  counterfactuals: Counterfactual[];
  /** Where no rule allows the call: the narrowest grant for it, and what becomes of the call with it. */
  grant?: GrantFor & { outcome: Outcome };
  /** Questions the policy was asked for this, and those left out because there would have been too many. */
  questions: { asked: number; unasked: number };
}

/** A decision of which only its record can be told. */
export interface Unexplained {
  kind: 'record-only';
  why: string;
}

/** Explains a recorded decision. */
export function explain(
  { decision, arguments: given }: RecordedDecision,
  policy: ExplainingPolicy,
  questionsMax?: number,
): Explanation | Unexplained {
  const read = inputOf(decision.facts, given);
  if ('unreadable' in read)
    return { kind: 'record-only', why: `What policy saw is not what it sees today: ${read.unreadable}.` };
  const repeated = repeat(policy, read.input, decision);
  const facts = createProbe(policy, read.input, questionsMax);
  const words = facts.words(facts.input);
  const grounds = groundsOf(facts);
  if (words === undefined || grounds === undefined)
    return { kind: 'record-only', why: 'The policy does not answer about this call.' };
  const changes = createProbe(policy, read.input, questionsMax);
  const stand = { verdict: decision.verdict, data: dataOf(policy.data, stopping(decision.verdict, words)) };
  const counterfactuals = counterfactualsOf(changes, stand);
  const [grant] = words.allow.length === 0 ? grantsFor([read.input]) : [];
  return {
    kind: 'whole',
    repeated,
    words,
    grounds,
    counterfactuals,
    ...(grant === undefined ? {} : { grant: { ...grant, outcome: withGrant(policy, grant, read.input) } }),
    questions: total(facts, changes),
  };
}

function repeat(policy: Judge, input: object, decision: DecisionRecord): Repetition {
  const { verdict, reasons, obligations, notes } = decision;
  try {
    const now = policy.evaluate(input);
    return isSame(now, { verdict, reasons, obligations, notes }) ? { same: true } : { same: false, now };
  } catch (error) {
    if (error instanceof Fault && error.code === 'policy_error') return { same: false, now: 'no answer' };
    throw error;
  }
}

/** The rules a call would have to content: those that said no or asked, and where none allows it, the grants. */
function stopping(verdict: Verdict, { deny, ask: asked, allow }: PolicyExplanation): string[] {
  const rules = verdict === 'deny' && deny.length > 0 ? deny : asked;
  return [...new Set([...rules.map(({ rule }) => rule), ...(allow.length === 0 ? ['allow_listed'] : [])])];
}

const documentSchema = z.record(z.string(), z.unknown());

/** Returns what rules read below `data.config` and `data` under their own names. */
function dataOf(data: unknown, rules: readonly string[]): unknown[] {
  const whole = documentSchema.safeParse(data).data ?? {};
  const config = documentSchema.safeParse(whole['config']).data ?? {};
  return rules.flatMap((rule) => [config[rule], whole[rule]]).filter((value) => value !== undefined);
}

function withGrant(policy: ExplainingPolicy, { grant }: GrantFor, input: Parameters<typeof ask>[1]): Outcome {
  return ask(
    policy.with((own) => withGrants(own, [grant])),
    input,
  ).outcome;
}

function total(...probes: Probe[]): Explanation['questions'] {
  const sum = (of: (probe: Probe) => number) => probes.reduce((so, probe) => so + of(probe), 0);
  return { asked: sum((probe) => probe.asked), unasked: sum((probe) => probe.unasked) };
}
