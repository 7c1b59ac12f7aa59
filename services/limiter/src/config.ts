import { secretTextSchema } from '@interlock/shell';
import { z } from 'zod';

/** The limiter's own variables. The address may hold a password, so it is a secret. */
export const configSchema = z.object({
  REDIS_URL: secretTextSchema.describe('redis://[user:password@]host:port[/database], or rediss:// for TLS'),
});
