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

/** A time zone by its IANA name, such as `Europe/Berlin`. */
export const timeZoneSchema = z
  .string()
  .max(64)
  .refine(isTimeZone, 'must be the IANA name of a time zone, such as Europe/Berlin');

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    // Offsets such as +01:00 are no zones, and end in no policy's data.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

/** Returns a fresh identifier: a prefix for the kind of object, and 128 random bits. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString('base64url')}`;
}
