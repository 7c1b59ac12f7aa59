import { Fault, valueAt } from '@interlock/contracts';

/** Amounts are counted in millionths: sums of whole numbers are exact, and no currency has smaller parts. */
const MICROS = 1_000_000;

/**
 * Returns what a call spends, in millionths, from its arguments (canonical JSON) at a JSON Pointer (RFC 6901).
 * Parts of a millionth count as a whole one. Throws `spend_amount_missing` when that is not a finite, non-negative number.
 */
export function spendMicros(argumentsText: string, pointer: string): number {
  const amount = valueAt(JSON.parse(argumentsText), pointer);
  if (typeof amount !== 'number' || !Number.isFinite(amount) || amount < 0)
    throw new Fault('spend_amount_missing', {
      detail: 'The amount that the call spends is missing, or is not a non-negative number.',
      pointer,
    });
  const micros = microsOf(amount);
  if (Number.isSafeInteger(micros)) return micros;
  throw new Fault('spend_limited', {
    detail: 'The amount that the call spends is larger than any budget.',
    pointer,
  });
}

/** Returns an amount in millionths, rounded up. The third decimal is far above the error of the multiplication. */
export function microsOf(amount: number): number {
  return Math.ceil(Number((amount * MICROS).toFixed(3)));
}

/** Returns a budget in millionths, rounded down, and never larger than sums are exact for. */
export function budgetMicrosOf(amount: number): number {
  return Math.min(Math.floor(Number((amount * MICROS).toFixed(3))), Number.MAX_SAFE_INTEGER / 2);
}

/** Returns millionths as units. */
export function unitsOf(micros: number): number {
  return micros / MICROS;
}
