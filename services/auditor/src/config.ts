import { secretTextSchema } from '@interlock/shell';
import { z } from 'zod';

/** The auditor's own variables. The address may hold a password, so it is a secret. */
export const configSchema = z.object({
  MONGODB_URL: secretTextSchema.describe('mongodb://[user:password@]host:port[/database][?options]'),
});
