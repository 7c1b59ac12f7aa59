import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lintRules } from './regal.ts';

const { signal } = new AbortController();
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-regal-'));
  await mkdir(path.join(folder, 'rules', 'loud'), { recursive: true });
  await writeFile(path.join(folder, 'rules', 'loud', 'loud.rego'), 'package interlock.rules.loud\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Stands in for Regal, which most machines do not have: a program that answers as Regal 0.39 does. */
async function regal({ output, code }: { output: string; code: number }): Promise<string> {
  const program = path.join(folder, 'regal');
  await writeFile(path.join(folder, 'output'), output);
  await writeFile(program, `#!/bin/sh\necho "$@" > '${folder}/argv'\ncat '${folder}/output'\nexit ${code}\n`);
  await chmod(program, 0o755);
  return program;
}

const REPORT = (file: string) =>
  JSON.stringify({
    violations: [
      {
        title: 'prefer-snake-case',
        description: 'Prefer snake_case for names',
        category: 'style',
        level: 'error',
        location: { end: { row: 9, col: 10 }, text: 'userIsBad := true', file, col: 1, row: 9 },
      },
    ],
    notices: [],
    summary: { files_scanned: 1, num_violations: 1 },
  });

describe("[P-policy-linted] what Regal finds in the user's own rules", () => {
  test('is nothing known where Regal is not installed, and nothing where there are no rules', async () => {
    const env = { INTERLOCK_REGAL_BIN: path.join(folder, 'no-such-program') };
    expect(await lintRules(folder, signal, env)).toBeUndefined();
    expect(await lintRules(path.join(folder, 'elsewhere'), signal, env)).toEqual([]);
  });

  test('is told with file, line and the name of the rule, though Regal ends with another code than 0', async () => {
    const file = path.join(folder, 'rules', 'loud', 'loud.rego');
    const env = { INTERLOCK_REGAL_BIN: await regal({ output: REPORT(file), code: 3 }) };
    expect(await lintRules(folder, signal, env)).toEqual([
      { file, line: 9, rule: 'style/prefer-snake-case', text: 'Prefer snake_case for names' },
    ]);
    const argv = await readFile(path.join(folder, 'argv'), 'utf8');
    expect(argv.trim().split(' ').at(-1)).toBe(path.join(folder, 'rules'));
  });

  test('is a failure with a next step where Regal says nothing that can be read', async () => {
    const env = { INTERLOCK_REGAL_BIN: await regal({ output: 'unknown flag: --format', code: 1 }) };
    await expect(lintRules(folder, signal, env)).rejects.toMatchObject({ code: 'regal_failed' });
  });
});
