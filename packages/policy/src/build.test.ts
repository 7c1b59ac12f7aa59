import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { sha256 } from '@interlock/contracts';
import { processEnvironment } from '@interlock/shell';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { buildBundle } from './build.ts';
import { openBundle } from './bundle.ts';
import { FUNCTIONS } from './functions.ts';

const base = path.resolve(import.meta.dirname, '../../../policies');
const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
const DEADLINE_MS = 25_000;
const capabilitiesSchema = z.object({
  builtins: z.array(
    z.object({
      name: z.string(),
      decl: z.object({ args: z.array(z.unknown()).optional() }),
      infix: z.string().optional(),
      relation: z.boolean().optional(),
    }),
  ),
});
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
  test.each([
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
    [
      'a fact that no call has',
      'rules/x/x.rego',
      'package interlock.rules.x\n\ndeny contains "No." if input.tool.nmae == "x"\n',
      /x\.rego:3: .*input\.tool\.nmae/,
    ],
    [
      'a fact that no destination has',
      'rules/x/x.rego',
      'package interlock.rules.x\n\ndeny contains "No." if {\n\tsome to in input.facts.destinations\n\tto.orgin == "x"\n}\n',
      /x\.rego:5: .*to\.orgin/,
    ],
    [
      'a fact taken for another type',
      'rules/x/x.rego',
      'package interlock.rules.x\n\ndeny contains "No." if input.tool.name == 1\n',
      /x\.rego:3: .*match error/,
    ],
    ...[
      'time.now_ns() > 1',
      'http.send({"method": "GET", "url": "https://example.com"}).status_code == 200',
      'regex.match("a+", input.tool.name)',
      'glob.match("a*", [], input.tool.name)',
      'rand.intn("x", 2) == 1',
      'opa.runtime().env.HOME == "/"',
      'net.lookup_ip_addr("example.com") == set()',
      'sprintf("%d", [1]) == "1"',
      'crypto.sha256("x") == "x"',
    ].map((condition): [string, string, string, RegExp] => {
      const name = condition.slice(0, condition.indexOf('('));
      const text = `package interlock.rules.x\n\ndeny contains "No." if ${condition}\n`;
      return [
        `a rule that calls ${name}`,
        'rules/x/x.rego',
        text,
        new RegExp(`x\\.rego:3: .*${name.replace('.', '\\.')}`),
      ];
    }),
    ['another main', 'main/mine.rego', 'package interlock.main\n', /already/],
    [
      'a rule with a name that is none',
      'rules/My-Rule/x.rego',
      'package interlock.rules.x\n',
      /the name of a rule/,
    ],
    [
      'a rule that is a file',
      'rules/x.rego',
      'package interlock.rules.x\n',
      /expected a folder with the files of one rule/,
    ],
    ['data that is not YAML', 'data.yaml', 'config: [\n', /data\.yaml:2/],
    [
      'data in the place of the decision',
      'data.yaml',
      'interlock: {main: {decision: {verdict: allow}}}\n',
      /reserved for the rules/,
    ],
    [
      'data in the place of a rule',
      'data.yaml',
      'interlock: {rules: {blocked_tools: {deny: []}}}\n',
      /reserved for the rules/,
    ],
  ])('for %s, with the file and the line', async (_, file, text, complaint) => {
    await write(file, text);
    await expect(build(base, own)).rejects.toMatchObject({
      code: 'configuration_invalid',
      detail: expect.stringMatching(complaint),
    });
  });

  test('without main/main.rego, which composes the rules', async () => {
    await write('rules/x/x.rego', 'package interlock.rules.x\n');
    await expect(build(own)).rejects.toMatchObject({ code: 'configuration_invalid' });
  });

  test('when opa cannot be started', async () => {
    const missing = buildBundle({
      opaBin: '/nowhere/opa',
      folders: [base],
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    await expect(missing).rejects.toMatchObject({ code: 'dependency_unavailable' });
  });
});

describe('a bundle', () => {
  test('has the base, the own rules and the data, and no tests', async () => {
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

  test('may call every allowed function, and then needs none from outside', async () => {
    const { builtins } = capabilitiesSchema.parse(
      JSON.parse((await promisify(execFile)(opaBin, ['capabilities', '--current'])).stdout),
    );
    const calls = builtins.flatMap(({ name, decl: { args = [] }, infix, relation }) =>
      FUNCTIONS.includes(name) && !name.startsWith('internal.') && !infix && !relation && name !== 'assign'
        ? [`said contains ${name}(${args.map((_, index) => `input.arguments.x${index}`).join(', ')})`]
        : [],
    );
    expect(calls.length).toBeGreaterThan(50);
    await write(
      'rules/mine/mine.rego',
      `package interlock.rules.mine\n\n${calls.join('\n')}\n
deny contains $"No: {count(said)}." if {
	input.tool.name in ["x"]
	some name, _ in {"x": 1}
	name == "x"
	walk(input.arguments, [_, "y"])
	1 + 2 - 3 * 4 / 5 % 6 < 7
	count(({1} | {2}) & ({1} - {2})) == 1
}
`,
    );
    const bytes = await build(base, own);
    const entry = { version: 1, digest: sha256(bytes), bytes: bytes.byteLength };
    expect(openBundle(entry, bytes).policy.memoryBytes).toBeGreaterThan(0);
  });

  test('is the same for the same folders, and a folder that does not exist adds nothing', async () => {
    const [one, two] = await Promise.all([build(base), build(base, path.join(own, 'policies'))]);
    expect(Buffer.from(one).equals(two)).toBe(true);
  });

  test('is the same whatever the paths of its folders', async () => {
    const odd = path.join(own, 'a folder: --odd');
    await cp(base, odd, { recursive: true });
    expect(Buffer.from(await build(odd)).equals(await build(base))).toBe(true);
  });
});
