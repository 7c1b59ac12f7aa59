/** `interlock policy eval` as an author meets it, in a copy of the example. Nothing runs. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { interlock } from './command.fixture.ts';

const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');
/** Each command reads the METADATA of all rules and compiles them, on a machine that is busy with others. */
vi.setConfig({ testTimeout: 120_000 });
const WRITE = '{"tool": "files_write_file", "arguments": {"path": "x", "content": "y"}}';

let config = '';
beforeEach(async () => {
  config = await mkdtemp(path.join(tmpdir(), 'interlock-policy-eval-'));
  await cp(QUICKSTART, config, { recursive: true });
});
afterEach(() => rm(config, { recursive: true, force: true }));

const evaluate = (...argv: string[]) => interlock(['policy', 'eval', ...argv, '--config', config]);

async function edit(file: string, from: string, to: string): Promise<void> {
  const name = path.join(config, file);
  const before = await readFile(name, 'utf8');
  expect(before).toContain(from);
  await writeFile(name, before.replace(from, to));
}

describe('[P-policy-eval] policy eval refuses', () => {
  test('a tool or an agent that the configuration does not have, and names the one that was meant', async () => {
    expect(await evaluate('{"tool": "files_write_fil"}')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'tool_unknown: There is no tool files_write_fil; did you mean files_write_file?',
      ),
    });
    expect(await evaluate(WRITE, '--agent', 'hleper')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'agent_unknown: There is no agent default/hleper; did you mean default/helper?',
      ),
    });
  });

  test('what is no call, and a call of which it does not know who makes it', async () => {
    for (const [call, complaint] of [
      ['{}', 'names a tool'],
      ['no json', 'names a tool'],
      ['{"tool": "add-note", "argumens": {}}', 'Unrecognized key: "argumens"'],
    ] as const)
      expect(await evaluate(call)).toMatchObject({ code: 2, stderr: expect.stringContaining(complaint) });
    await writeFile(
      path.join(config, 'agents', 'second.yaml'),
      'agent: second\ntenant: default\nuser: bob\nroles: []\n',
    );
    expect(await evaluate(WRITE)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--agent: default/helper, default/second'),
    });
  });
});

describe('[P-policy-eval] policy eval answers about a call that nobody made', () => {
  test('by the folder: the verdict, who said so, on which facts, and what would change it', async () => {
    const asked = await evaluate(WRITE);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(asked.stdout).toMatch(/^ASK {2}files_write_file, default\/helper, /);
    for (const line of [
      'because  destructive_asks',
      'tool.labels[1] = "destructive"',
      "a person's approval                     -> allow",
      'Nobody made this call',
    ])
      expect(asked.stdout).toContain(line);
    await edit('tools/files.yaml', 'labels: [writes, destructive]', 'labels: [writes]');
    expect((await evaluate(WRITE)).stdout).toMatch(/^ALLOW /);
    await edit('policies/data.yaml', 'files_write_file, ', '');
    const denied = await evaluate(WRITE, '--agent', 'helper', '--json');
    expect(JSON.parse(denied.stdout)).toMatchObject({
      policy: { from: 'folder' },
      tenant: 'default',
      agent: 'helper',
      tool: 'files_write_file',
      decision: { verdict: 'deny', reasons: [] },
      explanation: { grant: { outcome: 'allow' } },
    });
  });

  test('also about a tool and an agent that it describes itself', async () => {
    const own =
      '{"tool": {"name": "drop", "labels": ["destructive"]}, "subject": {"agent": "x", "tenant": "default", "roles": ["assistant"]}}';
    expect((await evaluate(own)).stdout).toMatch(/^DENY {2}drop, default\/x, /);
  });
});
