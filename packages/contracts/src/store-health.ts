import { z } from 'zod';

/** What the provisioner finds out about the server's store once a second: the streams it cannot write, and why. */
export const storeHealthSchema = z.strictObject({
  unwritable: z.record(z.string().max(128), z.string().max(512)),
});
export type StoreHealth = z.infer<typeof storeHealthSchema>;
