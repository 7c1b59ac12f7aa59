import { z } from 'zod';

/** The approver has no variables of its own: everything it keeps is on the bus. */
export const configSchema = z.object({});
