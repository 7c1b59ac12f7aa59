import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { processEnvironment } from '@interlock/shell';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildBundle } from './build.ts';

const base = path.resolve(import.meta.dirname, '../../../policies');
const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
const DEADLINE_MS = 25_000;
let own: string;

beforeEach(async () => {
  own = await mkdtemp(path.join(tmpdir(), 'interlock-own-'));
});

afterEach(async () => {
  await rm(own, { recursive: true, force: true });
});

function build(...folders: string[]): Promise<Uint8Array> {
  return buildBundle({ opaBin, folders, signal: AbortSignal.timeout(DEADLINE_MS) });
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(own, file)), { recursive: true });
  await writeFile(path.join(own, file), text);
}

describe('a policy folder is refused', () => {
  it.each([
    [
      'a rule that does not parse',
      'rules/x/x.rego',
      'package interlock.rules.x\n\ndeny contains if {\n',
      /x\.rego:3/,
    ],
    [
      'a rule that uses an unknown name',
      'rules/x/x.rego',
      'package interlock.rules.x\n\ndeny contains "No." if unknown\n',
      /x\.rego:3: .*unknown/,
    ],
    [
      'a variable that is not used',
      'rules/x/x.rego',
      'package interlock.rules.x\n\ndeny contains "No." if y := 1\n',
      /x\.rego:3/,
    ],
    [
      'a rule that poses as another',
      'rules/x/x.rego',
      'package interlock.rules.allow_listed\n',
      /x\.rego:1: expected/,
    ],
    ['a rule that poses as main', 'rules/x/x.rego', '# a\n\npackage interlock.main\n', /x\.rego:3: expected/],
    [
      'a second rule of a name',
      'rules/amount_cap/mine.rego',
      'package interlock.rules.amount_cap\n',
      /already/,
    ],
    ['another main', 'main/mine.rego', 'package interlock.main\n', /already/],
    [
      'a rule with a name that is none',
      'rules/My-Rule/x.rego',
      'package interlock.rules.x\n',
      /a rule's name/,
    ],
    ['a rule that is a file', 'rules/x.rego', 'package interlock.rules.x\n', /a rule is a folder/],
    ['data that is not YAML', 'data.yaml', 'config: [\n', /data\.yaml:2/],
    [
      'data in the place of the decision',
      'data.yaml',
      'interlock: {main: {decision: {verdict: allow}}}\n',
      /place of the rules/,
    ],
    [
      'data in the place of a rule',
      'data.yaml',
      'interlock: {rules: {blocked_tools: {deny: []}}}\n',
      /place of the rules/,
    ],
  ])('for %s, with the file and the line', async (_, file, text, complaint) => {
    await write(file, text);
    await expect(build(base, own)).rejects.toMatchObject({
      code: 'configuration_invalid',
      detail: expect.stringMatching(complaint),
    });
  });

  it('when nothing composes its rules', async () => {
    await write('rules/x/x.rego', 'package interlock.rules.x\n');
    await expect(build(own)).rejects.toMatchObject({ code: 'configuration_invalid' });
  });

  it('when opa is not there', async () => {
    const missing = buildBundle({
      opaBin: '/nowhere/opa',
      folders: [base],
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    await expect(missing).rejects.toMatchObject({ code: 'dependency_unavailable' });
  });
});

describe('a bundle', () => {
  it('holds the base, the own rules and the data, and no tests', async () => {
    await write(
      'rules/mine/mine.rego',
      'package interlock.rules.mine\n\ndeny contains "No." if input.tool.name == "x"\n',
    );
    await write('rules/mine/mine_test.rego', 'package interlock.rules.mine_test\n');
    await write('data.yaml', 'config:\n  allow_listed:\n    - {agents: [reader], tools: [read_file]}\n');
    const archive = gunzipSync(await build(base, own)).toString('latin1');
    expect(archive).toContain('/policy.wasm');
    expect(archive).toContain('rules/mine/mine.rego');
    expect(archive).toContain('rules/allow_listed/allow_listed.rego');
    expect(archive).toContain('{"config":{"allow_listed":[{"agents":["reader"],"tools":["read_file"]}]}}');
    expect(archive).not.toContain('_test');
  });

  it('is the same for the same folders, and a folder that is not there adds nothing', async () => {
    const [one, two] = await Promise.all([build(base), build(base, path.join(own, 'policies'))]);
    expect(Buffer.from(one).equals(two)).toBe(true);
  });

  it('is the same wherever its folders stand and whatever they are called', async () => {
    const odd = path.join(own, 'a folder: --odd');
    await cp(base, odd, { recursive: true });
    expect(Buffer.from(await build(odd)).equals(await build(base))).toBe(true);
  });
});
