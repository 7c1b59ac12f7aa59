/** Runs Regal, the linter of Rego, over the user's own rules, where it is installed. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { exists } from '@interlock/policy';
import { type Environment, Failure, processEnvironment } from '@interlock/shell';
import { z } from 'zod';
import { displayPath } from './policy-folders.ts';

/** A thousand rules take some ten seconds; a loaded machine gets more. */
const DEADLINE_MS = 60_000;
const OUTPUT_MAX_BYTES = 16 * 1_048_576;

/** One finding of Regal. */
export interface LintFinding {
  file: string;
  line: number;
  /** `<category>/<rule>`, as its documentation names it. */
  rule: string;
  text: string;
}

const reportSchema = z.object({
  violations: z
    .array(
      z.object({
        title: z.string(),
        category: z.string(),
        description: z.string(),
        location: z.object({ file: z.string(), row: z.int() }),
      }),
    )
    .nullish(),
});

/**
 * What Regal asks for and Interlock does otherwise: a rule's package does not repeat the folder `policies`, names no
 * entrypoint, and reads settings that Regal cannot see.
 */
const IGNORED = ['directory-package-mismatch', 'no-defined-entrypoint', 'unresolved-reference'];
/** A test reads the rule that it tests through a helper, which Regal asks no rule to do. */
const TESTS = '*_test.rego';

/**
 * Returns what Regal finds in the rules of a policy folder, or undefined where there is no Regal: INTERLOCK_REGAL_BIN,
 * or `regal` on the PATH. A `.regal/config.yaml` in or above the folder is followed.
 */
export async function lintRules(
  folder: string,
  signal: AbortSignal,
  env: Environment = processEnvironment(),
): Promise<LintFinding[] | undefined> {
  const rules = path.join(folder, 'rules');
  if (
    !(await exists(rules)) ||
    !(await readdir(rules, { recursive: true })).some((name) => name.endsWith('.rego'))
  )
    return [];
  const { INTERLOCK_REGAL_BIN: program = 'regal' } = env;
  const disabled = IGNORED.flatMap((rule) => ['--disable', rule]);
  const argv = ['lint', '--format', 'json', ...disabled, '--ignore-files', TESTS, rules];
  const output = await run(program, argv, AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]));
  if (output === undefined) return undefined;
  const { violations } = reportSchema.parse(JSON.parse(output));
  return (violations ?? []).map(({ title, category, description, location }) => ({
    file: displayPath(path.resolve(location.file)),
    line: location.row,
    rule: `${category}/${title}`,
    text: description,
  }));
}

/** Returns the output; undefined where there is no such program. With findings it exits with another code than 0. */
async function run(
  program: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await promisify(execFile)(program, argv, { signal, maxBuffer: OUTPUT_MAX_BYTES })).stdout;
  } catch (cause) {
    const { code, stdout } = z.object({ code: z.unknown(), stdout: z.string().default('') }).parse(cause);
    if (code === 'ENOENT') return undefined;
    if (stdout.trimStart().startsWith('{')) return stdout;
    throw new Failure('regal_failed', `${program} could not lint the rules.`, {
      cause,
      next: 'Run regal lint on the folder, or leave INTERLOCK_REGAL_BIN out.',
    });
  }
}
