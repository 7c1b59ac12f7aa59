import type { Problem } from './api.ts';
import { type FaultCode, faults } from './faults.ts';

/** The parts of a problem document: a fault has them, and a stored refusal. */
export interface Refusal {
  code: FaultCode;
  detail: string;
  rule?: string | undefined;
  pointer?: string | undefined;
  next?: string | undefined;
  retryAfterMs?: number | undefined;
}

/** Returns the problem document (RFC 9457) of a refusal, about a call where there is one. */
export function problemOf(refusal: Refusal, call?: string): Problem {
  const { text, status } = faults[refusal.code];
  const retryAfter = retryAfterOf(refusal);
  const general = faults[refusal.code].next;
  const own = refusal.next === general ? undefined : refusal.next;
  const next = own ?? nextOf(refusal.code, retryAfter);
  return {
    type: `urn:interlock:fault:${refusal.code}`,
    title: text,
    status,
    detail: refusal.detail,
    code: refusal.code,
    ...(refusal.rule === undefined ? {} : { rule: refusal.rule }),
    ...(call === undefined ? {} : { call }),
    ...(refusal.pointer === undefined ? {} : { pointer: refusal.pointer }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    next: call === undefined ? next : next.replace('{call}', call),
  };
}

/** Returns the wait of a refusal in whole seconds, rounded up. */
export function retryAfterOf({ retryAfterMs }: Pick<Refusal, 'retryAfterMs'>): number | undefined {
  return retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1_000));
}

function nextOf(code: FaultCode, retryAfter: number | undefined): string {
  const { next, retryable } = faults[code];
  if (retryAfter === undefined) return next;
  const seconds = `after ${retryAfter} second${retryAfter === 1 ? '' : 's'}`;
  return retryable
    ? `Send the same request again ${seconds}, with the same Idempotency-Key if it had one.`
    : `Make a new call ${seconds}, with a new Idempotency-Key if it had one. ${next}`;
}
