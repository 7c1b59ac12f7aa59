import { z } from 'zod';

/** The approver has no variables of its own: all it stores is in NATS. */
export const configSchema = z.object({});
