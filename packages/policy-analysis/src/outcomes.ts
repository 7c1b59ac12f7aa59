/** What a policy decides about a call, and how two decisions compare. */
import {
  type CallLabelEntry,
  Fault,
  type PolicyAnswer,
  type PolicyInput,
  type Verdict,
} from '@interlock/contracts';

/** A verdict, or `error` where the policy gives no answer: the call is then refused. */
export type Outcome = Verdict | 'error';

/** How far a call gets. */
const REACH: Readonly<Record<Outcome, number>> = { error: 0, deny: 0, ask: 1, allow: 2 };

/** A policy that can be evaluated. */
export interface Evaluator {
  evaluate(input: object): PolicyAnswer;
}

export interface RuledOutcome {
  outcome: Outcome;
  /** The rules that gave the reasons, sorted; none for a call that is denied because no rule allows it. */
  rules: string[];
}

/** Evaluates a policy. */
export function outcomeOf(policy: Evaluator, input: PolicyInput): RuledOutcome {
  try {
    const { verdict, reasons } = policy.evaluate(input);
    return { outcome: verdict, rules: rulesIn(reasons) };
  } catch (error) {
    if (error instanceof Fault && error.code === 'policy_error') return { outcome: 'error', rules: [] };
    throw error;
  }
}

/** Returns the rules that gave reasons, each once, sorted. */
export function rulesIn(reasons: readonly { rule: string }[]): string[] {
  return [...new Set(reasons.map(({ rule }) => rule))].sort();
}

/** Returns whether a call gets further, less far, or as far as before. */
export function compareReach(from: Outcome, to: Outcome): 'wider' | 'narrower' | 'as far' {
  const step = REACH[to] - REACH[from];
  if (step === 0) return 'as far';
  return step > 0 ? 'wider' : 'narrower';
}

/** How well the outcomes of a policy agree with the labels that people gave to calls. */
export interface Agreement {
  judged: number;
  agree: number;
  /** Calls labelled bad that it would allow; an ask is not an allow. */
  falseAllows: number;
  /** Calls labelled good that it would deny or ask about. */
  falseDenials: { denied: number; asked: number };
}

export function noAgreement(): Agreement {
  return { judged: 0, agree: 0, falseAllows: 0, falseDenials: { denied: 0, asked: 0 } };
}

/** Returns an agreement with one more labelled call. */
export function withLabel(before: Agreement, label: CallLabelEntry['label'], outcome: Outcome): Agreement {
  const { denied, asked } = before.falseDenials;
  const after = { ...before, judged: before.judged + 1 };
  if ((label === 'good') === (outcome === 'allow')) return { ...after, agree: before.agree + 1 };
  if (label === 'bad') return { ...after, falseAllows: before.falseAllows + 1 };
  return {
    ...after,
    falseDenials: outcome === 'ask' ? { denied, asked: asked + 1 } : { denied: denied + 1, asked },
  };
}
