/** What policy obliges the limiter to charge for a call, beside the limits that are configured (docs/decisions/017). */
import { Fault, idSchema, type ObligationName, type Statement, timeZoneSchema } from '@interlock/contracts';
import { assertObligations } from '@interlock/gate';
import { z } from 'zod';
import type { Charge } from './charge.ts';
import { policyCounterKey } from './keys.ts';
import { budgetMicrosOf, microsOf } from './spend.ts';
import { windowOf } from './window.ts';

/** The one obligation that is the limiter's own. */
const LIMIT: ObligationName = 'limit';
const WINDOW_MAX_MS = 31 * 86_400_000;

const shape = {
  limit: idSchema,
  kind: z.enum(['spend', 'volume']),
  per: z
    .array(z.enum(['tenant', 'agent', 'user', 'session', 'tool']))
    .min(1)
    .max(5),
  budget: z.number().nonnegative(),
  amount: z.number().nonnegative(),
};

/** The obligation `limit`: an amount out of a budget that is counted separately for each combination of `per`. */
const limitObligationSchema = z.union([
  z.strictObject({ ...shape, windowMs: z.int().min(1_000).max(WINDOW_MAX_MS) }),
  z.strictObject({ ...shape, day: timeZoneSchema }),
]);

type PolicyCharge = Extract<Charge, { kind: 'spend' | 'volume' }>;

/**
 * Returns what policy obliges to charge. Obligations of one counter are one charge: their amounts are added, and the
 * smallest budget counts. Throws `obligation_unknown` for terms this limiter does not know, and `spend_limited` for an
 * amount larger than any budget.
 */
export function obligedCharges(decision: Statement<'decision'>, nowMs: number): PolicyCharge[] {
  assertObligations(decision);
  const charges = new Map<string, PolicyCharge>();
  for (const { name, parameters } of decision.obligations) {
    if (name !== LIMIT) continue;
    const charge = chargeOf(decision, parameters, nowMs);
    const other = charges.get(charge.key);
    charges.set(charge.key, other === undefined ? charge : combined(other, charge));
  }
  return [...charges.values()];
}

function chargeOf(decision: Statement<'decision'>, parameters: unknown, nowMs: number): PolicyCharge {
  const parsed = limitObligationSchema.safeParse(parameters);
  if (!parsed.success)
    throw new Fault('obligation_unknown', {
      detail:
        'Policy attached a limit to this call in terms that the limiter does not know, so the call was refused.',
      cause: parsed.error,
    });
  const { limit, kind, budget, amount } = parsed.data;
  return withinBudgets({
    limit,
    key: policyCounterKey(parsed.data, decision),
    kind,
    amountMicros: microsOf(amount),
    budgetMicros: budgetMicrosOf(budget),
    ...windowOf(parsed.data, nowMs),
  });
}

function combined(one: PolicyCharge, other: PolicyCharge): PolicyCharge {
  return withinBudgets({
    ...one,
    amountMicros: one.amountMicros + other.amountMicros,
    budgetMicros: Math.min(one.budgetMicros, other.budgetMicros),
  });
}

/** Sums stay exact only for whole numbers below a bound. */
function withinBudgets(charge: PolicyCharge): PolicyCharge {
  if (Number.isSafeInteger(charge.amountMicros)) return charge;
  throw new Fault('spend_limited', {
    detail: 'The amount that policy charges for this call is larger than any budget.',
    rule: `limits/${charge.limit}`,
  });
}
