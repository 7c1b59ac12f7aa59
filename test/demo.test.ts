import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runPolicy } from './command.ts';
import { readmeCommand } from './readme-command.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const MAIN = path.join(ROOT, 'deploy', 'local', 'src', 'main.ts');
/** A dozen processes start, play and stop on whatever machine this is. */
const DEMO_MS = 150_000;
/** People's tokens, agents' keys and JSON Web Tokens, as they begin. */
const SECRETS = /\bil[pk]_[A-Za-z0-9_-]{20}|\beyJ[A-Za-z0-9_-]{10}/;

const reportSchema = z.strictObject({
  name: z.literal('demo'),
  passed: z.boolean(),
  steps: z.array(z.strictObject({ name: z.string(), passed: z.boolean(), tookMs: z.number() })),
  calls: z.array(
    z.strictObject({
      agent: z.string(),
      tool: z.string(),
      outcome: z.string(),
      call: z.string(),
      decidedBy: z.string(),
      tookMs: z.number(),
    }),
  ),
});

let temporary = '';
let demo: ChildProcess | undefined;
beforeEach(async () => {
  temporary = await mkdtemp(path.join(tmpdir(), 'demo-test-'));
});
afterEach(async () => {
  if (demo?.exitCode === null && demo.signalCode === null) {
    demo.kill('SIGTERM');
    await once(demo, 'exit');
  }
  await rm(temporary, { recursive: true, force: true });
}, DEMO_MS);

/** Starts the demo with a folder for temporary files of its own. */
function play({ program, args }: { program: string; args: readonly string[] }) {
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  demo = child;
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  return { child, printed, ended: once(child, 'close') };
}

const changedSchema = z.looseObject({ calls: z.int(), changed: z.int() });
const refusedSchema = z.looseObject({
  changes: z.array(z.looseObject({ examples: z.array(z.looseObject({ call: z.string() })) })),
});

/** What an author asks of the calls that the demo recorded: a stricter candidate, and why the first call it stops went through. */
async function authorsLoop(folder: string): Promise<void> {
  const line = { interlock: { data: path.join(folder, 'data') }, config: path.join(folder, 'config') };
  const same = await runPolicy(line, 'simulate', '--candidate', path.join(line.config, 'policies'));
  expect(same.stderr).toBe('');
  expect(changedSchema.parse(same.result)).toMatchObject({ changed: 0 });
  const stricter = path.join(folder, 'stricter');
  await mkdir(path.join(stricter, 'rules', 'no_notes'), { recursive: true });
  await cp(path.join(line.config, 'policies', 'data.yaml'), path.join(stricter, 'data.yaml'));
  await writeFile(
    path.join(stricter, 'rules', 'no_notes', 'no_notes.rego'),
    'package interlock.rules.no_notes\n\ndeny contains "No notes." if input.tool.name == "read_note"\n',
  );
  const { code, result } = await runPolicy(line, 'simulate', '--candidate', stricter);
  expect(code).toBe(1);
  expect(result).toMatchObject({
    changes: [{ tool: 'read_note', from: 'allow', to: 'deny', rulesNow: ['no_notes'] }],
  });
  const call = refusedSchema.parse(result).changes[0]?.examples[0]?.call ?? '';
  const explained = await runPolicy(line, 'explain', call);
  expect(explained).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.stringify(explained.result)).toContain('allow_listed');
  expect(await runPolicy(line, 'suggest')).toMatchObject({ code: 0, result: { wanted: 0 } });
}

describe('[P-demo] the demo', () => {
  test(
    'plays every step, says who decided about each call, prints no secret, and leaves nothing behind',
    async () => {
      const { program, args } = readmeCommand('npm run demo');
      const { child, printed, ended } = play({ program, args: [...args, '--json'] });
      await ended;
      expect(printed.stderr).not.toContain('✗');
      expect(child.exitCode).toBe(0);
      const { passed, steps, calls } = reportSchema.parse(JSON.parse(printed.stdout));
      expect(passed).toBe(true);
      expect(steps.filter((step) => !step.passed)).toEqual([]);
      expect(steps).toHaveLength(14);
      expect(calls.map(({ tool, outcome, decidedBy }) => `${tool}: ${outcome}, ${decidedBy}`)).toEqual([
        'files_read_text_file: succeeded, rule allow_listed',
        'pay: succeeded, rule allow_listed',
        'read_note: succeeded, redacted, rule allow_listed',
        'pay: refused, schema of the tool',
        'pay: refused, rule amount_cap',
        'pay: held, then succeeded, person bob',
        'pay: replayed, not done again, the stored outcome',
        'list_payments: succeeded, rule allow_listed',
        'list_payments: refused, limit lookups-per-agent',
        'pay: refused, kill switch',
        'read_note: succeeded, rule allow_listed',
      ]);
      expect(printed.stderr).toMatch(/agent +tool +outcome +who decided +time\n/);
      expect(printed.stderr).not.toMatch(SECRETS);
      expect(await readdir(temporary)).toEqual([]);
    },
    DEMO_MS,
  );

  test(
    'stays with --keep until it is asked to stop, answers the curl it prints and an author who asks about its calls, and then leaves nothing behind',
    async () => {
      const { child, printed, ended } = play(readmeCommand('npm run demo -- --keep'));
      await eventually(() => printed.stdout.includes('Stop with Ctrl-C') || child.exitCode !== null, DEMO_MS);
      expect(printed.stderr).toBe('');
      const key = /export KEY=(\S+)/.exec(printed.stdout)?.[1];
      const tools = /curl -s (\S+\/v1\/tools)/.exec(printed.stdout)?.[1] ?? '';
      const answer = await fetch(tools, { headers: { authorization: `Bearer ${key}` } });
      expect(await answer.json()).toMatchObject({ tools: expect.arrayContaining([expect.anything()]) });
      await authorsLoop(path.join(temporary, (await readdir(temporary))[0] ?? ''));
      child.kill('SIGTERM');
      await ended;
      expect(child.exitCode).toBe(0);
      await expect(fetch(tools)).rejects.toThrow();
      expect(await readdir(temporary)).toEqual([]);
    },
    DEMO_MS,
  );

  test(
    'interrupted while it starts, it leaves nothing behind and does not claim to have passed',
    async () => {
      const { child, printed, ended } = play({ program: process.execPath, args: [MAIN, 'demo', '--json'] });
      await eventually(async () => (await readdir(temporary)).length > 0, DEMO_MS);
      child.kill('SIGINT');
      await ended;
      expect(child.exitCode).toBe(1);
      expect(JSON.parse(printed.stdout)).toMatchObject({ name: 'demo', passed: false });
      expect(printed.stderr).toContain('interrupted');
      expect(await readdir(temporary)).toEqual([]);
    },
    DEMO_MS,
  );
});
