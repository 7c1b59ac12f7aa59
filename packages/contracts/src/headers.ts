import { z } from 'zod';

/** Names of headers (RFC 9110 §5.6.2). */
export const headerNameSchema = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, 'must be the name of a header');

/** Headers of an answer by their names in lower case, each as it is shown: without credentials and within its limit. */
export const shownHeadersSchema = z.record(headerNameSchema, z.string().max(2_048));
export type ShownHeaders = z.infer<typeof shownHeadersSchema>;
