import { createHmac } from 'node:crypto';
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';

/** After this many retryable refusals an Idempotency-Key is used up. */
export const ATTEMPTS = 64;
const IDEMPOTENCY_KEY = /^[\x21-\x7E]{1,255}$/;

export interface CallKey {
  tenant: string;
  agent: string;
  idempotencyKey: string;
  /** Retryable refusals so far. */
  attempt: number;
}

/**
 * Returns the id of a call made under an Idempotency-Key: a keyed hash (HMAC-SHA-256), so that the same request
 * names the same call on every replica, and nobody can name a call of another agent.
 */
export function callIdOf({ tenant, agent, idempotencyKey, attempt }: CallKey, key: Secret): string {
  // Tenant and agent are identifiers and the attempt is a number, so no two calls have the same text.
  const text = `${tenant}|${agent}|${idempotencyKey}|${attempt}`;
  const secret = Buffer.from(key.reveal(), 'base64url');
  return `c_${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** Reads the Idempotency-Key header: 1 to 255 visible ASCII characters. Throws `header_invalid`. */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && IDEMPOTENCY_KEY.test(header)) return header;
  throw new Fault('header_invalid', {
    detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters, given once.',
  });
}
