/** The rules of the library as they describe themselves. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
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
  /** Its cases: YAML. */
  cases: string;
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

/** Returns the modules that compose the rules of a policy folder. */
export async function mainModules(folder: string): Promise<string[]> {
  const names = await readdir(path.join(folder, 'main'));
  return names
    .filter((name) => name.endsWith('.rego') && !name.endsWith('_test.rego'))
    .map((name) => path.join(folder, 'main', name));
}

async function readRule(name: string, example: string): Promise<LibraryRule> {
  const file = path.join(LIBRARY, 'rules', name, `${name}.rego`);
  const text = await readFile(file, 'utf8');
  const code = text.replaceAll(/^\s*#.*$/gm, '');
  return {
    name,
    file,
    example: example || '{}',
    cases: await textOf(path.join(LIBRARY, 'rules', name, `${name}_cases.yaml`)),
    words: [...new Set(Array.from(code.matchAll(WORD), ([word]) => word))].sort(),
    literals: Array.from(code.matchAll(LITERAL), ([, literal = '']) => literal),
  };
}

async function textOf(file: string): Promise<string> {
  return existsSync(file) ? await readFile(file, 'utf8') : '{}';
}

/** The examples of all rules, each with what the rule's own cases set on top. */
const MERGING = `object.union_n([settings |
	some rule in input
	own := object.get(yaml.unmarshal(rule.cases), ["data", "config"], {})
	settings := object.union(yaml.unmarshal(rule.example), object.filter(own, [rule.name]))
])`;

/** Returns settings of all rules as one document: what stands under `config`. `folder` is for files in between. */
export async function settingsOf(rules: LibraryRule[], folder: string): Promise<Record<string, Json>> {
  const file = path.join(folder, 'rules.json');
  await writeFile(file, JSON.stringify(rules));
  const merged = await opa('eval', '--format', 'raw', '--input', file, MERGING);
  return z.record(z.string(), parsedJsonSchema).parse(JSON.parse(merged));
}

async function opa(...argv: string[]): Promise<string> {
  const { INTERLOCK_OPA_BIN: program = 'opa' } = processEnvironment();
  const options = { timeout: OPA_DEADLINE_MS, maxBuffer: OUTPUT_MAX_BYTES };
  return (await promisify(execFile)(program, argv, options)).stdout;
}
