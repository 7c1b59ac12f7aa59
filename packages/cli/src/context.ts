/** The command's own memory: where the house is, and the tokens and keys that were made here. Only its owner may read it. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './places.ts';

const contextSchema = z.strictObject({
  ingress: z.url().optional(),
  console: z.url().optional(),
  /** Tokens by person. */
  people: z.record(z.string(), z.string()).default({}),
  /** Keys by `<tenant>/<agent>`. */
  agents: z
    .record(z.string(), z.strictObject({ keyId: z.string(), key: z.string(), notAfter: z.number() }))
    .default({}),
  /** Who acts unless a command says otherwise. */
  person: z.string().optional(),
});
export type Context = z.infer<typeof contextSchema>;

/** Reads the context of a data folder; an absent file is an empty context. Throws `context_malformed`. */
export async function readContext(data: string): Promise<Context> {
  const file = dataFiles(data).context;
  const text = await readIfThere(file);
  if (text === undefined) return contextSchema.parse({});
  try {
    return contextSchema.parse(JSON.parse(text));
  } catch {
    // What the parsers throw may quote a key.
    throw new Failure('context_malformed', `${file} is not what this command wrote.`, {
      next: 'Put it back from a copy, or start with another --data folder.',
    });
  }
}

/** Writes the context whole, readable by its owner alone: a crash leaves the old one or the new one. */
export async function writeContext(data: string, context: Context): Promise<void> {
  await writePrivate(dataFiles(data).context, `${JSON.stringify(context, null, 2)}\n`);
}

/** Writes a file of mode 0600 in one step. */
export async function writePrivate(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, content, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, file);
}

/** Reads a file, or returns undefined where there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
