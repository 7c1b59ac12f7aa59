import { z } from 'zod';
import { headerNameSchema } from './headers.ts';
import { idSchema } from './ids.ts';

/** More than any request needs. */
const USES_MAX = 8;

/** How a credential is put into a request. */
export const injectionSchema = z.discriminatedUnion('as', [
  z.strictObject({ as: z.literal('bearer') }),
  z.strictObject({ as: z.literal('basic'), username: z.string().max(256) }),
  /** Two credentials make one basic authentication. */
  z.strictObject({ as: z.literal('basic-username') }),
  z.strictObject({ as: z.literal('basic-password') }),
  z.strictObject({
    as: z.literal('header'),
    header: headerNameSchema,
    prefix: z.string().max(64).default(''),
  }),
  z.strictObject({ as: z.literal('query'), parameter: z.string().min(1).max(128) }),
  /** Where `{placeholder}` stands in the URL, a header, a parameter or the body. No argument has this name. */
  z.strictObject({ as: z.literal('placeholder'), placeholder: z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/) }),
  /** AWS Signature Version 4. The value is `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, and `:SESSION_TOKEN` where there is one. */
  z.strictObject({
    as: z.literal('aws-sigv4'),
    region: z.string().regex(/^[a-z0-9-]{1,64}$/),
    service: z.string().regex(/^[a-z0-9-]{1,64}$/),
  }),
]);
export type Injection = z.infer<typeof injectionSchema>;

const credentialUseSchema = z.strictObject({ name: idSchema, inject: injectionSchema });
export type CredentialUse = z.infer<typeof credentialUseSchema>;

/** The credentials of a tool: one, or a list of them. */
export const credentialUsesSchema = z
  .union([credentialUseSchema, z.array(credentialUseSchema).max(USES_MAX)])
  .transform((uses) => (Array.isArray(uses) ? uses : [uses]))
  .default([]);
