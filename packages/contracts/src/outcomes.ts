import { z } from 'zod';
import { type Refused, refusedSchema, type Settled, settledSchema } from './events.ts';

/**
 * How a call ended: KV bucket `outcomes`, key = `<tenant>.<call>`. It is kept when the ledger no longer holds the call, and
 * is what an answer to a repeated request or to a look-up needs.
 */
export const outcomeEntrySchema = z.discriminatedUnion('step', [
  settledSchema
    .omit({ tenant: true, call: true, redactions: true, labels: true, executor: true })
    .extend({ step: z.literal('settled') }),
  refusedSchema
    .omit({ tenant: true, call: true, by: true, count: true, evidence: true })
    .extend({ step: z.literal('refused') }),
]);
export type OutcomeEntry = z.infer<typeof outcomeEntrySchema>;

/** A settled call, as the ledger or the bucket `outcomes` has it. */
export type SettledCall = Omit<Settled, 'redactions' | 'labels' | 'executor'>;
/** A refused call, as the ledger or the bucket `outcomes` has it. */
export type RefusedCall = Omit<Refused, 'by' | 'count' | 'evidence'>;

/** Returns what is kept of a settled call. */
export function outcomeOfSettled(settled: Settled): OutcomeEntry {
  const { tenant: _, call: _call, redactions: _count, labels: _labels, executor: _who, ...kept } = settled;
  return { step: 'settled', ...kept };
}

/** Returns what is kept of a refused call. */
export function outcomeOfRefused(refused: Refused): OutcomeEntry {
  const { tenant: _, call: _call, by: _by, count: _count, evidence: _evidence, ...kept } = refused;
  return { step: 'refused', ...kept };
}
