/** The README is true: whatever command it names is run here or by the test named beside it. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { commandsOfReadme, readmeCommand } from './readme-command.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const run = promisify(execFile);
/** The quick bench measures for half a minute; a busy machine takes longer to start it. */
const BENCH_MS = 240_000;
/** A help text takes a second; the rest is for a loaded machine. */
const HELP_MS = 20_000;
const OUTPUT_MAX_BYTES = 16 * 1_024 * 1_024;

/** Which file runs each command of the README. A test gets it from `readmeCommand`, so it runs the very words. */
const runBy: Readonly<Record<string, string>> = {
  'npm run demo': 'test/demo.test.ts',
  'npm run demo -- --keep': 'test/demo.test.ts',
  'npm test': '.ci/run',
  'npm run interlock -- --help': 'test/readme.test.ts',
};

test('[P-readme-true] every command of the README is run by the file that is named for it', async () => {
  const commands = new Set(commandsOfReadme());
  expect([...commands].sort()).toEqual(Object.keys(runBy).sort());
  for (const [command, file] of Object.entries(runBy)) {
    const text = await readFile(path.join(ROOT, file), 'utf8');
    const isRun = file.endsWith('.test.ts')
      ? text.includes(`readmeCommand('${command}')`)
      : text.split('\n').some((line) => line.startsWith(`${command} `));
    expect({ command, file, isRun }).toEqual({ command, file, isRun: true });
  }
});

test('[P-readme-true] --help lists every command that READMEs name', async () => {
  const { program, args } = readmeCommand('npm run interlock -- --help');
  const { stdout } = await run(program, args, { cwd: ROOT, timeout: HELP_MS });
  const readmes = ['packages/cli/README.md', 'deploy/local/README.md'].map((file) => path.join(ROOT, file));
  const lines = (await Promise.all(readmes.map((file) => readFile(file, 'utf8')))).join('\n').split('\n');
  const named = lines.flatMap((line) => {
    const [, first = ''] = line.split(/(?<!\\)\|/);
    return [...first.matchAll(/`([a-z]+)(?=[ `])/g)].map(([, name = '']) => name);
  });
  expect(named).toEqual(expect.arrayContaining(['init', 'up', 'down', 'call', 'approve', 'trace', 'doctor']));
  for (const name of named) expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
});

const measuredSchema = z.looseObject({
  rates: z.array(
    z.looseObject({
      rate: z.number(),
      p50Ms: z.number(),
      p90Ms: z.number(),
      p99Ms: z.number(),
      failed: z.number(),
    }),
  ),
  saturationPerSecond: z.number().positive(),
});

test(
  '[P-bench-whole] the quick bench measures direct, floor and line in one run',
  async () => {
    const { stdout } = await run('npm', ['run', '--silent', 'bench', '--', '--quick', '--json'], {
      cwd: ROOT,
      timeout: BENCH_MS,
      maxBuffer: OUTPUT_MAX_BYTES,
    });
    const report = z
      .looseObject({
        name: z.literal('bench'),
        passed: z.boolean(),
        checks: z.array(
          z.looseObject({ name: z.string(), value: z.number(), target: z.number(), met: z.boolean() }),
        ),
        direct: measuredSchema,
        floor: measuredSchema,
        line: measuredSchema,
      })
      .parse(JSON.parse(stdout));
    for (const { rates } of [report.direct, report.floor, report.line]) {
      expect(rates.map(({ rate }) => rate)).toEqual(expect.arrayContaining([100, 500]));
    }
  },
  BENCH_MS,
);
