import { z } from 'zod';
import { idSchema } from './ids.ts';

const RECIPIENTS_MAX = 16;
const BASE64URL = /^[A-Za-z0-9_-]*$/;

/** Base64url without padding, checked by its characters and their number: decoding kilobytes only for a check costs too much. */
const encodedSchema = z
  .string()
  .refine((text) => BASE64URL.test(text) && text.length % 4 !== 1)
  .meta({
    format: 'base64url',
    contentEncoding: 'base64url',
    pattern: '^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?$',
  });

/** A sealed box as it is published: `packages/keys/SPEC.md` specifies how one is made and opened. */
export const sealedSchema = z.strictObject({
  /** The sender's ephemeral X25519 public key, base64url. */
  sender: encodedSchema,
  /** Salts the keys of the recipients, and commits to the key of the box. */
  salt: encodedSchema,
  recipients: z
    .array(z.strictObject({ keyId: idSchema, key: encodedSchema }))
    .min(1)
    .max(RECIPIENTS_MAX),
  content: encodedSchema,
});
export type Sealed = z.infer<typeof sealedSchema>;
