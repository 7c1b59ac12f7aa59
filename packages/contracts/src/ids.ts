import { randomBytes } from 'node:crypto';
import { z } from 'zod';

/** Every identifier that reaches a subject or a key: no dots, no wildcards, no spaces. */
export const idSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -')
  .meta({ description: 'An identifier: 1 to 64 of A-Z a-z 0-9 _ -' });

/** SHA-256 as 64 lower-case hexadecimal digits. */
export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex');

/** Milliseconds since the Unix epoch. */
export const instantMsSchema = z.int().nonnegative();

/** Returns a fresh identifier: a prefix for the kind of object, and 128 random bits. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString('base64url')}`;
}
