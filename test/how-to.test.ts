/** Follows every recipe of docs/how-to as it is written, in a copy of this repository, and holds the result to its rules. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { processEnvironment } from '@interlock/shell';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Copy, copyRepository } from './docs/copy.ts';
import { type Page, readPages } from './docs/pages.ts';
import { edit, stepsOf } from './docs/recipes.ts';

/** A copy, types of the whole repository and some tests on a machine that is busy with others. */
const FOLLOW_MS = 240_000;
const OUTPUT_MAX_BYTES = 16 * 1_048_576;
const FOLDER = 'docs/how-to/';

const recipes = readPages().filter(
  ({ path: file }) => file.startsWith(FOLDER) && !file.endsWith('README.md'),
);
/** Those that only list what there is to change, since an example would be as large as the thing itself. */
const listing = ['docs/how-to/add-a-step.md', 'docs/how-to/add-a-tool-kind.md'];
const followed = recipes.filter(({ path: file }) => !listing.includes(file));

const printedSchema = z.object({ stdout: z.string(), stderr: z.string() }).partial();

let copy: Copy;
beforeAll(async () => {
  copy = await copyRepository();
  for (const recipe of followed)
    for (const step of stepsOf(recipe)) if (step.kind !== 'run') await edit(copy.folder, step);
}, FOLLOW_MS);
afterAll(() => copy?.[Symbol.asyncDispose]());

/** Runs one line of a recipe in the copy, and returns what it printed; fails with that where it fails. */
async function runInCopy(line: string): Promise<string> {
  const { PATH, HOME, XDG_CACHE_HOME, ...rest } = processEnvironment();
  const own = Object.entries(rest).filter(([name]) => /^INTERLOCK_\w+_BIN$/.test(name));
  const bin = path.join(copy.folder, 'node_modules', '.bin');
  const env = {
    ...Object.fromEntries(own),
    HOME,
    XDG_CACHE_HOME,
    PATH: [bin, PATH].join(path.delimiter),
    CI: '1',
  };
  const options = { cwd: copy.folder, env, timeout: FOLLOW_MS, maxBuffer: OUTPUT_MAX_BYTES };
  try {
    return (await promisify(execFile)('bash', ['-c', line], options)).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = printedSchema.parse(error);
    throw new Error(`${line}\n${stdout}${stderr}`, { cause: error });
  }
}

function commandsOf(recipe: Page): string[] {
  return stepsOf(recipe).flatMap((step) =>
    step.kind === 'run' ? step.block.split('\n').filter((line) => line !== '') : [],
  );
}

describe('[P-docs-true] a recipe', () => {
  test('is followed for all but those that only list', () => {
    expect(followed.length).toBeGreaterThanOrEqual(5);
    expect(followed.filter((recipe) => commandsOf(recipe).length === 0)).toEqual([]);
    expect(listing.filter((file) => !recipes.some(({ path: other }) => other === file))).toEqual([]);
  });

  test.each(followed.map((recipe) => [recipe.path, recipe] as const))(
    '%s works as it is written',
    async (_, recipe) => {
      for (const line of commandsOf(recipe)) await runInCopy(line);
    },
    FOLLOW_MS,
  );

  test(
    'leaves types, lint and tidiness as they were',
    async () => {
      await runInCopy('tsc --noEmit');
      await runInCopy('biome check .');
      await runInCopy('vitest run test/tidy.test.ts');
    },
    FOLLOW_MS,
  );
});
