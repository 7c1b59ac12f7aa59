import type { Problem } from './api.ts';
import { type FaultCode, faults } from './faults.ts';

/** The parts of a problem document: a fault has them, and a stored refusal. */
export interface Refusal {
  code: FaultCode;
  detail: string;
  rule?: string | undefined;
  pointer?: string | undefined;
  next?: string | undefined;
}

/** Returns the problem document (RFC 9457) of a refusal, about a call where there is one. */
export function problemOf(refusal: Refusal, call?: string): Problem {
  const { text, status } = faults[refusal.code];
  const next = refusal.next ?? faults[refusal.code].next;
  return {
    type: `urn:interlock:fault:${refusal.code}`,
    title: text,
    status,
    detail: refusal.detail,
    code: refusal.code,
    ...(refusal.rule === undefined ? {} : { rule: refusal.rule }),
    ...(call === undefined ? {} : { call }),
    ...(refusal.pointer === undefined ? {} : { pointer: refusal.pointer }),
    next: call === undefined ? next : next.replace('{call}', call),
  };
}
