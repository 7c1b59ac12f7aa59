import { z } from 'zod';

/** The provisioner's own variables. */
export const configSchema = z.object({
  INTERLOCK_STREAM_REPLICAS: z.coerce
    .number()
    .int()
    .min(1)
    .max(5)
    .default(1)
    .describe('copies of each stream: 1 for one server, 3 in a cluster'),
  INTERLOCK_LEDGER_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1_048_576)
    .optional()
    .describe('size of the ledger in bytes; above 80 % of it nothing new starts'),
});
