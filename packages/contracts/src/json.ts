import { createHash } from 'node:crypto';
import canonicalizeJson from 'canonicalize';
import { z } from 'zod';
import { Fault } from './fault.ts';

/** A value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Any value from `JSON.parse`, which returns nothing but JSON: checking it again at every hop would prove nothing. */
export const parsedJsonSchema: z.ZodType<Json> = z.any();

/**
 * Returns the canonical form of a JSON value (RFC 8785).
 * Throws `unicode_malformed` when a string holds a lone surrogate and `body_malformed` when the value is not JSON.
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalText(value);
  if (text === undefined)
    throw new Fault('body_malformed', { detail: 'The value cannot be written as JSON.' });
  if (!text.isWellFormed()) throw new Fault('unicode_malformed');
  return text;
}

function canonicalText(value: unknown): string | undefined {
  try {
    return canonicalizeJson(value);
  } catch (cause) {
    // The library has no error codes; only its errors about Unicode name surrogates.
    if (/surrogate/i.test(String(cause))) throw new Fault('unicode_malformed', { cause });
    throw new Fault('body_malformed', { detail: 'The value cannot be written as JSON.', cause });
  }
}

/** Returns the SHA-256 of a text (as UTF-8) or of bytes, in lower-case hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Returns the SHA-256 of a value's canonical form (RFC 8785), in lower-case hex. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}
