/** The README is true: whatever command it names is run here or by the test named beside it. */
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = path.resolve(import.meta.dirname, '..');
const run = promisify(execFile);
/** The quick bench measures for half a minute; a busy machine takes longer to start it. */
const BENCH_MS = 240_000;
const OUTPUT_MAX_BYTES = 16 * 1_024 * 1_024;

/** Who runs each command of the README; the newcomer's section is run as a whole by `quickstart.test.ts`. */
const runBy: Readonly<Record<string, string>> = {
  'npm run demo': 'test/demo.test.ts',
  'npm run demo -- --keep': 'test/demo.test.ts',
  'npm test': '.ci/run',
  // Its parts, each once: types, lint, and the tests with tidy among them.
  'npm run verify': '.ci/run',
  'npm run lint:rego': 'deploy/local/set-up/run.test.ts',
  'npm run bench -- --quick --json': 'test/readme.test.ts',
  'npm run interlock -- --help': 'deploy/local/src/main.test.ts',
};

test('[P-readme-true] every command of the README is run by a test', async () => {
  const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
  const [before = '', after = ''] = readme.split('## A first own tool and policy in under five minutes');
  const rest = before + after.slice(after.indexOf('\n## '));
  const named = [...rest.matchAll(/`(npm [^`]+)`|^(npm .+)$/gm)].map(
    ([, inline, line]) => inline ?? line ?? '',
  );
  expect(named).toContain('npm run demo');
  expect(named.filter((command) => !(command in runBy))).toEqual([]);
  for (const file of Object.values(runBy)) await access(path.join(ROOT, file));
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
