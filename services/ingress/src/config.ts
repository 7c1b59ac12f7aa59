import { readFile } from 'node:fs/promises';
import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { CONNECTIONS_PER_ADDRESS, listenAddressSchema } from '@interlock/shell';
import { z } from 'zod';
import { TENANT_BYTES_PER_HOUR } from './volume.ts';

/** Some seconds of work of a small installation: more than that in a queue is answered too late to be of use. */
const IN_FLIGHT = 2_000;

/** Ingress's own variables. */
export const configSchema = z.object({
  INTERLOCK_INGRESS_ADDRESS: listenAddressSchema.prefault('127.0.0.1:0'),
  /** The number of an inherited socket that is bound to this address: processes that share it take over from each other. */
  INTERLOCK_INGRESS_FD: z.coerce.number().int().min(3).optional(),
  /** The URL that other enforcement points use for ingress; by default the address it listens at. */
  INTERLOCK_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Requests of all agents that this replica handles at once; above that it answers 503 `overloaded`. */
  INTERLOCK_INGRESS_IN_FLIGHT: z.coerce.number().int().min(1).max(100_000).default(IN_FLIGHT),
  /** Bytes of arguments that all agents of one tenant may send to this replica in an hour. */
  INTERLOCK_INGRESS_TENANT_BYTES_PER_HOUR: z.coerce
    .number()
    .int()
    .min(1_048_576)
    .default(TENANT_BYTES_PER_HOUR),
  /** Connections that one network address may hold; more where a proxy brings those of many agents. */
  INTERLOCK_INGRESS_CONNECTIONS_PER_ADDRESS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(CONNECTIONS_PER_ADDRESS),
  INTERLOCK_CALL_ID_KEY_FILE: z.string().describe('a file with at least 32 random bytes in base64url'),
});
export type IngressConfig = z.infer<typeof configSchema>;

/** 32 bytes are 43 characters of base64url; a page of them is more than any key needs. */
const KEY_TEXT = /^[A-Za-z0-9_-]{43,4096}$/;

/**
 * Reads the key that call ids are derived with. All replicas share it, and it outlives restarts: another key would
 * give the same Idempotency-Key another call.
 * Throws `configuration_invalid` naming the variable, never the content.
 */
export async function readCallIdKey(path: string): Promise<Secret> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    if (KEY_TEXT.test(text)) return new Secret(text);
  } catch (cause) {
    throw wrongKeyFile(path, 'it cannot be read', cause);
  }
  throw wrongKeyFile(path, 'expected at least 32 bytes in base64url');
}

function wrongKeyFile(path: string, why: string, cause?: unknown): Fault {
  const detail = `INTERLOCK_CALL_ID_KEY_FILE is wrong: ${path}: ${why}.`;
  return new Fault('configuration_invalid', { detail, cause });
}
