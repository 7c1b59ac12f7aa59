/** The rules of the library as they describe themselves. */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Json, parsedJsonSchema } from '@interlock/contracts';
import { processEnvironment } from '@interlock/shell';
import { z } from 'zod';

export const LIBRARY = path.resolve(import.meta.dirname, '../../policies');
const OPA_DEADLINE_MS = 30_000;
const OUTPUT_MAX_BYTES = 16 * 1_048_576;
const WORD = /^(deny|ask|allow|notes|obligations)\b/gm;
const LITERAL = /"((?:[^"\\\n]|\\.)*)"/g;

export interface LibraryRule {
  name: string;
  file: string;
  /** What it may say: `deny`, `ask`, `allow`, `notes`, `obligations`. */
  words: string[];
  /** The texts in its module. */
  literals: string[];
  /** Its example data: YAML below `config`. */
  example: string;
}

const inspectionSchema = z.object({
  annotations: z.array(
    z.object({
      path: z.array(z.object({ value: z.string() })),
      annotations: z.object({
        scope: z.string(),
        custom: z.object({ data: z.string().default('') }).default({ data: '' }),
      }),
    }),
  ),
});

/** Reads every rule of the library. */
export async function readLibrary(): Promise<LibraryRule[]> {
  const described = await opa('inspect', '-a', '--format', 'json', LIBRARY);
  const examples = new Map(
    inspectionSchema
      .parse(JSON.parse(described))
      .annotations.filter(({ annotations }) => annotations.scope === 'package')
      .map(({ path: where, annotations }) => [where.at(-1)?.value ?? '', annotations.custom.data]),
  );
  const names = (await readdir(path.join(LIBRARY, 'rules'))).sort();
  return await Promise.all(names.map((name) => readRule(name, examples.get(name) ?? '')));
}

async function readRule(name: string, example: string): Promise<LibraryRule> {
  const file = path.join(LIBRARY, 'rules', name, `${name}.rego`);
  const text = await readFile(file, 'utf8');
  const code = text.replaceAll(/^\s*#.*$/gm, '');
  return {
    name,
    file,
    example,
    words: [...new Set(Array.from(code.matchAll(WORD), ([word]) => word))].sort(),
    literals: Array.from(code.matchAll(LITERAL), ([, literal = '']) => literal),
  };
}

/** Returns the examples of all rules as one document: what stands under `config`. `folder` is for files in between. */
export async function exampleOf(rules: LibraryRule[], folder: string): Promise<Record<string, Json>> {
  const texts = path.join(folder, 'examples.json');
  await writeFile(texts, JSON.stringify(rules.map(({ example }) => example || '{}')));
  const merging = 'object.union_n([yaml.unmarshal(text) | some text in input])';
  const merged = await opa('eval', '--format', 'raw', '--input', texts, merging);
  return z.record(z.string(), parsedJsonSchema).parse(JSON.parse(merged));
}

async function opa(...argv: string[]): Promise<string> {
  const { INTERLOCK_OPA_BIN: program = 'opa' } = processEnvironment();
  const options = { timeout: OPA_DEADLINE_MS, maxBuffer: OUTPUT_MAX_BYTES };
  return (await promisify(execFile)(program, argv, options)).stdout;
}
