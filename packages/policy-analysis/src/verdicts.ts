/** Verdicts, compared. */
import {
  type CallLabelEntry,
  Fault,
  type PolicyAnswer,
  type PolicyInput,
  type Verdict,
} from '@interlock/contracts';

/** What becomes of a call: `error` is a policy that does not answer, and then the call is refused. */
export type Outcome = Verdict | 'error';
export const outcomes = ['allow', 'ask', 'deny', 'error'] as const satisfies readonly Outcome[];

/** How far a call gets. */
const REACH: Readonly<Record<Outcome, number>> = { error: 0, deny: 0, ask: 1, allow: 2 };

/** Who is asked about a call. */
export interface Judge {
  evaluate(input: object): PolicyAnswer;
}

/** What a policy says of a call. */
export interface Said {
  outcome: Outcome;
  /** The rules that gave the reasons, in order; none for what is denied because no rule allows it. */
  rules: string[];
}

/** Asks a policy. One that does not answer is an outcome too. */
export function ask(judge: Judge, input: PolicyInput): Said {
  try {
    const { verdict, reasons } = judge.evaluate(input);
    return { outcome: verdict, rules: rulesOf(reasons) };
  } catch (error) {
    if (error instanceof Fault && error.code === 'policy_error') return { outcome: 'error', rules: [] };
    throw error;
  }
}

/** Returns the rules that gave reasons, each once, sorted. */
export function rulesOf(reasons: PolicyAnswer['reasons']): string[] {
  return [...new Set(reasons.map(({ rule }) => rule))].sort();
}

/** Returns whether a call gets further, less far, or as far as before. */
export function moved(from: Outcome, to: Outcome): 'wider' | 'narrower' | 'as far' {
  const step = REACH[to] - REACH[from];
  if (step === 0) return 'as far';
  return step > 0 ? 'wider' : 'narrower';
}

/** How a policy fares against what people judged. */
export interface Agreement {
  judged: number;
  agree: number;
  /** Bad calls it would let through; a question to a person counts as not let through. */
  falseAllows: number;
  /** Good calls it would stop: denied outright, or asked about. */
  falseDenials: { denied: number; asked: number };
}

/** Returns an agreement about nothing. */
export function noAgreement(): Agreement {
  return { judged: 0, agree: 0, falseAllows: 0, falseDenials: { denied: 0, asked: 0 } };
}

/** Returns an agreement with one more judged call. */
export function judged(before: Agreement, label: CallLabelEntry['label'], outcome: Outcome): Agreement {
  const { denied, asked } = before.falseDenials;
  const after = { ...before, judged: before.judged + 1 };
  if ((label === 'good') === (outcome === 'allow')) return { ...after, agree: before.agree + 1 };
  if (label === 'bad') return { ...after, falseAllows: before.falseAllows + 1 };
  return {
    ...after,
    falseDenials: outcome === 'ask' ? { denied, asked: asked + 1 } : { denied: denied + 1, asked },
  };
}
