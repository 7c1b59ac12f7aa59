import { createHmac } from 'node:crypto';
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';

/** Retryable refusals of one Idempotency-Key after which it is spent. */
export const ATTEMPTS = 64;
const IDEMPOTENCY_KEY = /^[\x21-\x7E]{1,255}$/;

export interface CallOrigin {
  tenant: string;
  agent: string;
  idempotencyKey: string;
  /** Retryable refusals so far. */
  attempt: number;
}

/**
 * Returns the id of a call made under an Idempotency-Key: a keyed hash (HMAC-SHA-256), so that the same request
 * names the same call on every replica and nobody can name another agent's.
 */
export function callIdOf({ tenant, agent, idempotencyKey, attempt }: CallOrigin, key: Secret): string {
  // Tenant and agent are identifiers and the attempt a number, so no two origins are written alike.
  const origin = `${tenant}|${agent}|${idempotencyKey}|${attempt}`;
  const secret = Buffer.from(key.reveal(), 'base64url');
  return `c_${createHmac('sha256', secret).update(origin).digest('base64url')}`;
}

/** Reads the Idempotency-Key header: 1 to 255 visible ASCII characters. Throws `header_invalid`. */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && IDEMPOTENCY_KEY.test(header)) return header;
  throw new Fault('header_invalid', {
    detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters, given once.',
  });
}
