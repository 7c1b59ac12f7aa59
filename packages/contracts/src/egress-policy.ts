import { z } from 'zod';
import { limits } from './events.ts';

/** Where a tool may connect to, and how much it may read. */
export const egressPolicySchema = z.strictObject({
  /** `host`, `host:port`, `*.suffix`, or `http://host:port` for plain HTTP. */
  allow: z.array(z.string().max(256)).min(1).max(32),
  redirects: z.int().min(0).max(5).default(0),
  /** Private addresses or CIDR ranges that the tool may connect to nevertheless. */
  allowPrivate: z.array(z.string().max(64)).max(32).default([]),
  timeoutMs: z.int().min(100).max(limits.claimMs).default(20_000),
  maxResponseBytes: z.int().positive().max(limits.resultBytes).default(1_048_576),
});
export type EgressPolicy = z.infer<typeof egressPolicySchema>;
