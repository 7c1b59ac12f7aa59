import { z } from 'zod';

/** The broker's variables. */
export const brokerConfigSchema = z.object({
  /** Path of the file that holds the key-encryption key: `{"kekId", "key"}`, the key 32 bytes in base64url. */
  INTERLOCK_KEK_FILE: z.string().min(1),
});
export type BrokerConfig = z.infer<typeof brokerConfigSchema>;
