import { idSchema } from '@interlock/contracts';
import { z } from 'zod';

/** The decider's own environment variables. */
export const configSchema = z.strictObject({
  /** Calls decided at once: more than one, so that a call that opens a session does not delay the others. */
  INTERLOCK_DECIDER_CONCURRENCY: z.coerce.number().int().min(1).max(1_024).default(64),
  /** The deployment's name for where it runs, such as `production`: policy sees it. */
  INTERLOCK_ENVIRONMENT: idSchema.default('default'),
});
export type Config = z.infer<typeof configSchema>;
