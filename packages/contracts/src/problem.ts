import type { Problem } from './api.ts';
import type { Fault } from './fault.ts';
import { faults } from './faults.ts';

/** Returns the problem document (RFC 9457) of a fault or of a stored refusal, about a call where there is one. */
export function problemOf(
  refusal: Pick<Fault, 'code' | 'detail'> & { rule?: string | undefined; pointer?: string | undefined },
  call?: string,
): Problem {
  const { text, next, status } = faults[refusal.code];
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
