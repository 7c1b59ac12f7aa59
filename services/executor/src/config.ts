import { z } from 'zod';

/** The default of effects in flight per replica: enough for 1,000 calls/s at upstreams that take 250 ms. */
const CONCURRENCY = 256;
const CONCURRENCY_MAX = 4_096;

/** The executor's variables. */
export const executorConfigSchema = z.object({
  INTERLOCK_EXECUTOR_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(CONCURRENCY_MAX)
    .default(CONCURRENCY)
    .describe('how many calls may be carried out at once'),
  INTERLOCK_EGRESS_CA_FILE: z
    .string()
    .optional()
    .describe('a PEM file of certificate authorities to trust besides the public ones'),
  INTERLOCK_EXECUTOR_COMMANDS: z
    .string()
    .optional()
    .describe('a JSON file that lists the local MCP servers that may be started; without it there are none'),
  INTERLOCK_BWRAP_BIN: z.string().optional().describe('the program bwrap, where PATH does not name it'),
  INTERLOCK_KEYS: z.string().describe('the folder with key files, which no local MCP server may see'),
});
export type ExecutorConfig = z.infer<typeof executorConfigSchema>;
