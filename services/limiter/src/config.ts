import { readFile } from 'node:fs/promises';
import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { secretTextSchema } from '@interlock/shell';
import { z } from 'zod';

/** The limiter's own variables. The address may hold a password, so it is a secret. */
export const configSchema = z.object({
  REDIS_URL: secretTextSchema.describe(
    'redis://[user:password@]host:port[/database], rediss:// for TLS, or unix:///path for a socket',
  ),
  INTERLOCK_REDIS_PASSWORD_FILE: z.string().min(1).optional().describe('a file with the password of Redis'),
});

/** Reads the password of Redis, where a file holds it. Throws `configuration_invalid`. */
export async function readRedisPassword(file: string | undefined): Promise<Secret | undefined> {
  if (file === undefined) return undefined;
  try {
    const text = (await readFile(file, 'utf8')).trim();
    if (text !== '') return new Secret(text);
  } catch (cause) {
    throw wrongPasswordFile(file, 'it cannot be read', cause);
  }
  throw wrongPasswordFile(file, 'it is empty');
}

function wrongPasswordFile(file: string, why: string, cause?: unknown): Fault {
  const detail = `INTERLOCK_REDIS_PASSWORD_FILE is wrong: ${file}: ${why}.`;
  return new Fault('configuration_invalid', { detail, cause });
}
