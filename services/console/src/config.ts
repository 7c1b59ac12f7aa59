import { listenAddressSchema } from '@interlock/shell';
import { z } from 'zod';

const LOOPBACK = new Set(['127.0.0.1', '::1']);

/** Where the console listens. */
export type ListenAddress = z.infer<typeof listenAddressSchema>;

/** The environment variables the console reads. */
export const consoleConfigSchema = z
  .object({
    INTERLOCK_CONSOLE_ADDRESS: listenAddressSchema.prefault('127.0.0.1:0'),
    /** `1` allows an address that other machines can reach. */
    INTERLOCK_CONSOLE_PUBLIC: z
      .enum(['0', '1'])
      .default('0')
      .transform((flag) => flag === '1'),
    /** Further host names of the management API, with their port; separated by commas. */
    INTERLOCK_CONSOLE_HOSTS: z
      .string()
      .default('')
      .transform((text) => text.split(',').filter((host) => host !== '')),
    /** JSON file of the people that the very first start writes. */
    INTERLOCK_PEOPLE_FILE: z.string().min(1).optional(),
    INTERLOCK_TRACES: z.enum(['on', 'off']).default('on'),
    /** File with the token that senders of spans need; without it no spans are accepted. */
    INTERLOCK_TRACE_TOKEN_FILE: z.string().min(1).optional(),
  })
  .refine(
    (config) => config.INTERLOCK_CONSOLE_PUBLIC || LOOPBACK.has(config.INTERLOCK_CONSOLE_ADDRESS.host),
    {
      path: ['INTERLOCK_CONSOLE_ADDRESS'],
      message: 'expected a loopback address, 127.0.0.1 or [::1], unless INTERLOCK_CONSOLE_PUBLIC is 1',
    },
  );
export type ConsoleConfig = z.infer<typeof consoleConfigSchema>;
