import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
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
  return `c_${hashOf(`${tenant}|${agent}|${idempotencyKey}|${attempt}`, key).toString('base64url')}`;
}

/** An id of a call without an Idempotency-Key: when it was given (48 bits), a random part, and the proof of its agent. */
const TIME_BYTES = 6;
const RANDOM_BYTES = 10;
const PROOF_BYTES = 16;

export interface CallOwner {
  tenant: string;
  agent: string;
}

/**
 * Returns the id of a call made without an Idempotency-Key. It carries when it was given and to whom, so that every
 * replica, also after a restart, knows the id of a call of which nothing is stored (docs/decisions/033).
 */
export function newCallId(owner: CallOwner, nowMs: number, key: Secret): string {
  const given = Buffer.alloc(TIME_BYTES + RANDOM_BYTES);
  given.writeUIntBE(nowMs, 0, TIME_BYTES);
  randomBytes(RANDOM_BYTES).copy(given, TIME_BYTES);
  return `c_${Buffer.concat([given, proofOf(given, owner, key)]).toString('base64url')}`;
}

/** Returns when an id was given to an agent for a call without an Idempotency-Key; undefined where it never was. */
export function callIdGivenAt(call: string, owner: CallOwner, key: Secret): number | undefined {
  const bytes = Buffer.from(call.slice(2), 'base64url');
  if (!call.startsWith('c_') || bytes.length !== TIME_BYTES + RANDOM_BYTES + PROOF_BYTES) return undefined;
  const given = bytes.subarray(0, TIME_BYTES + RANDOM_BYTES);
  const proof = bytes.subarray(TIME_BYTES + RANDOM_BYTES);
  return timingSafeEqual(proof, proofOf(given, owner, key)) ? given.readUIntBE(0, TIME_BYTES) : undefined;
}

function proofOf(given: Buffer, { tenant, agent }: CallOwner, key: Secret): Buffer {
  return hashOf(`given|${tenant}|${agent}|${given.toString('base64url')}`, key).subarray(0, PROOF_BYTES);
}

function hashOf(text: string, key: Secret): Buffer {
  return createHmac('sha256', Buffer.from(key.reveal(), 'base64url')).update(text).digest();
}

/** Reads the Idempotency-Key header: 1 to 255 visible ASCII characters. Throws `header_invalid`. */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && IDEMPOTENCY_KEY.test(header)) return header;
  throw new Fault('header_invalid', {
    detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters, given once.',
  });
}
