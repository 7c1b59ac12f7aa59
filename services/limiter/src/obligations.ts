/** What policy obliges the limiter to take for a call, beside the limits that are configured. */
import { Fault, idSchema, type Statement } from '@interlock/contracts';
import { z } from 'zod';
import { policyCounterKey } from './keys.ts';
import { budgetMicrosOf, microsOf } from './spend.ts';
import type { Taking } from './take.ts';

/** Carried out by others: every service that logs, and the approver. */
const OTHERS = new Set(['announce', 'approval']);

const WINDOW_MAX_MS = 31 * 86_400_000;

/** What the obligation `limit` says: an amount out of a budget that is counted apart for each combination of `per`. */
const limitObligationSchema = z.strictObject({
  limit: idSchema,
  kind: z.enum(['spend', 'volume']),
  per: z
    .array(z.enum(['tenant', 'agent', 'user', 'session', 'tool']))
    .min(1)
    .max(5),
  windowMs: z.int().min(1_000).max(WINDOW_MAX_MS),
  budget: z.number().nonnegative(),
  amount: z.number().nonnegative(),
});

type PolicyTaking = Extract<Taking, { kind: 'spend' | 'volume' }>;

/**
 * Returns what policy wants taken. Obligations of one counter are one taking: their amounts are added up, and the
 * smallest budget holds. Throws `obligation_unknown` for what is not understood, and `spend_limited` for an amount
 * that no budget holds.
 */
export function obligedTakings(decision: Statement<'decision'>): PolicyTaking[] {
  const takings = new Map<string, PolicyTaking>();
  for (const { name, parameters } of decision.obligations) {
    if (OTHERS.has(name)) continue;
    if (name !== 'limit') throw unknown(`Policy obliges to ${name}, which nobody here knows.`);
    const taking = takingOf(decision, parameters);
    const known = takings.get(taking.key);
    takings.set(taking.key, known === undefined ? taking : together(known, taking));
  }
  return [...takings.values()];
}

function takingOf(decision: Statement<'decision'>, parameters: unknown): PolicyTaking {
  const parsed = limitObligationSchema.safeParse(parameters);
  if (!parsed.success)
    throw unknown('Policy obliges to a limit in terms that are not understood.', parsed.error);
  const { limit, kind, windowMs, budget, amount } = parsed.data;
  return withinBudgets({
    limit,
    key: policyCounterKey(parsed.data, decision),
    kind,
    amountMicros: microsOf(amount),
    budgetMicros: budgetMicrosOf(budget),
    windowMs,
  });
}

function together(one: PolicyTaking, other: PolicyTaking): PolicyTaking {
  return withinBudgets({
    ...one,
    amountMicros: one.amountMicros + other.amountMicros,
    budgetMicros: Math.min(one.budgetMicros, other.budgetMicros),
  });
}

/** Sums stay exact only for whole numbers below a bound. */
function withinBudgets(taking: PolicyTaking): PolicyTaking {
  if (Number.isSafeInteger(taking.amountMicros)) return taking;
  throw new Fault('spend_limited', {
    detail: 'The call takes more than any budget holds.',
    rule: `limits/${taking.limit}`,
  });
}

function unknown(detail: string, cause?: unknown): Fault {
  return new Fault('obligation_unknown', cause === undefined ? { detail } : { detail, cause });
}
