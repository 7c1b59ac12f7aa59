/** The command's own state: the addresses of an installation, and the tokens and keys that were made here. */
import path from 'node:path';
import { Failure, readIfPresent, writePrivate } from '@interlock/shell';
import { z } from 'zod';

const contextSchema = z.strictObject({
  ingress: z.url().optional(),
  console: z.url().optional(),
  /** What signatures are verified with; absent where the operator's root key is not known. */
  trust: z.strictObject({ rootKey: z.string(), keyringFile: z.string() }).optional(),
  /** Tokens by person. */
  people: z.record(z.string(), z.string()).default({}),
  /** Keys by `<tenant>/<agent>`. */
  agents: z
    .record(z.string(), z.strictObject({ keyId: z.string(), key: z.string(), notAfter: z.number() }))
    .default({}),
  /** The person a command acts for when `--as` names none. */
  person: z.string().optional(),
});
export type Context = z.infer<typeof contextSchema>;

/** Returns the file of a data folder that holds the context. */
export function contextFile(data: string): string {
  return path.join(data, 'context.json');
}

/** Reads the context of a data folder; without a file it is empty. Throws `context_malformed`. */
export async function readContext(data: string): Promise<Context> {
  const file = contextFile(data);
  const text = await readIfPresent(file);
  if (text === undefined) return contextSchema.parse({});
  try {
    return contextSchema.parse(JSON.parse(text));
  } catch {
    // What the parsers throw may quote a key.
    throw new Failure('context_malformed', `${file} is not in the form that this command writes.`, {
      next: 'Restore the file from a copy, or use another data folder with --data.',
    });
  }
}

/** Writes the context, readable by its owner alone. */
export async function writeContext(data: string, context: Context): Promise<void> {
  await writePrivate(contextFile(data), `${JSON.stringify(context, null, 2)}\n`);
}
