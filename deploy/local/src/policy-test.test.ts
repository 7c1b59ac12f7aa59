/** `interlock policy test` as an author meets it, in a copy of the example. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { interlock } from './command.fixture.ts';

const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');
const MAIN = path.join(import.meta.dirname, 'main.ts');
/** A run compiles all rules, on a machine that is busy with others. */
const RUN_MS = 90_000;
vi.setConfig({ testTimeout: 2 * RUN_MS });

let config = '';
beforeEach(async () => {
  config = await mkdtemp(path.join(tmpdir(), 'interlock-policy-test-'));
  await cp(QUICKSTART, config, { recursive: true });
  await mkdir(path.join(config, 'policies', 'cases'));
  await writeFile(path.join(config, 'policies', 'cases', 'files.yaml'), CASES);
});
afterEach(() => rm(config, { recursive: true, force: true }));

const CASES = `
cases:
  - name: a person is asked before a file is overwritten
    given: { tool: files_write_file, subject: { agent: helper } }
    expect: { verdict: ask }
`;

async function edit(file: string, from: string, to: string): Promise<void> {
  const name = path.join(config, file);
  const before = await readFile(name, 'utf8');
  expect(before).toContain(from);
  await writeFile(name, before.replace(from, to));
}

describe('[P-policy-tested] policy test', () => {
  test('warns of a file of cases that is not read because of its folder', async () => {
    const misplaced = path.join(config, 'policies', 'limits_cases.yaml');
    await writeFile(misplaced, 'cases: []\n');
    const { code, stdout } = await interlock(['policy', 'test', '--config', config, '--run', 'overwritten']);
    expect(code).toBe(0);
    expect(stdout).toContain(`WARNING  ${misplaced} was not read`);
  });

  test('knows tools, agents and data of the configuration, so that a mistake in the file of a tool fails a case', async () => {
    const run = () => interlock(['policy', 'test', '--mine', '--config', config]);
    expect(await run()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 tests and 1 cases of 0 rules'),
    });
    await edit('tools/files.yaml', 'labels: [writes, destructive]', 'labels: [writes]');
    const failed = await run();
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('FAIL ') });
    expect(failed.stdout).toContain('expected  {"verdict":"ask"}');
    expect(failed.stdout).toContain('actual    {"verdict":"allow"}');
  });
});

test('[P-policy-markdown] policy test reports in Markdown', async () => {
  const { code, stdout } = await interlock([
    ...['policy', 'test', '--mine', '--markdown', '--config', config],
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^### Policy tests: passed\n\npassed {2}0 tests and 1 cases/);
});

test(
  '[P-policy-watched] policy test --watch runs again when a file of the configuration or a case changes',
  async () => {
    const argv = [MAIN, 'policy', 'test', '--mine', '--watch', '--config', config];
    const child = spawn(process.execPath, argv, { stdio: 'pipe' });
    const ended = once(child, 'close');
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const waits = (times: number) => stderr.split('waiting for a change').length > times;
    try {
      await eventually(() => waits(1), RUN_MS);
      expect(stdout).toMatch(/^passed /);
      await edit('tools/files.yaml', 'labels: [writes, destructive]', 'labels: [writes]');
      await eventually(() => stdout.includes('FAILED: 1'), RUN_MS);
      await edit('policies/cases/files.yaml', 'verdict: ask', 'verdict: allow');
      await eventually(() => stdout.trimEnd().split('\n').at(-1)?.startsWith('passed'), RUN_MS);
    } finally {
      child.kill('SIGINT');
      await ended;
    }
  },
  4 * RUN_MS,
);

test('[P-policy-watched] policy test --watch prints no JSON, which is one document', async () => {
  const refused = await interlock(['policy', 'test', '--watch', '--json', '--config', config]);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--watch') });
});
