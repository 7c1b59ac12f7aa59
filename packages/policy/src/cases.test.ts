import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { processEnvironment } from '@interlock/shell';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildBundle } from './build.ts';
import { ignoredFiles } from './case-files.ts';
import { parseCases, readCases, runCases } from './cases.ts';

const base = path.resolve(import.meta.dirname, '../../../policies');
const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
const DEADLINE_MS = 25_000;
let own: string;
let bundle: Uint8Array;

beforeAll(async () => {
  own = await mkdtemp(path.join(tmpdir(), 'interlock-cases-'));
  await writeFile(
    path.join(own, 'data.yaml'),
    'config: {allow_listed: [{agents: [clerk], tools: [read_order]}]}\n',
  );
  bundle = await buildBundle({ opaBin, folders: [base, own], signal: AbortSignal.timeout(DEADLINE_MS) });
}, DEADLINE_MS);

afterAll(async () => {
  await rm(own, { recursive: true, force: true });
});

const file = (given: string, expected: string) => `
cases:
  - name: a call
    given: ${given}
    expect: ${expected}
`;
const GRANTED = '{rule: allow_listed, text: A grant covers this call.}';

describe('a file of cases is refused', () => {
  test.each([
    ['that is not YAML', 'cases: [\n', /^x\.yaml:2: /],
    ['that has no cases', 'about: Nothing.\n', /^x\.yaml:1: cases: /],
    ['with a word it does not know', 'cases:\n  - name: a\n    gives: {}\n', /^x\.yaml:2: cases\.0: /],
    [
      'without an expectation',
      'cases:\n  - name: a\n    expect: {}\n',
      /^x\.yaml:3: cases\.0\.expect: name a verdict/,
    ],
    [
      'that expects what policy never says',
      file('{}', '{verdict: maybe}'),
      /^x\.yaml:5: cases\.0\.expect\.verdict: /,
    ],
    ['that names a thing twice', 'cases: []\ncases: []\n', /^x\.yaml:2: /],
  ])('%s, with file and line', (_, text, complaint) => {
    expect(() => parseCases('x.yaml', text)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', detail: expect.stringMatching(complaint) }),
    );
  });

  test('whose call is not a valid input, with file and line', () => {
    const cases = parseCases('x.yaml', file('{tool: {named: pay}}', '{verdict: deny}'));
    expect(() => runCases(bundle, cases)).toThrow(
      expect.objectContaining({ detail: expect.stringMatching(/^x\.yaml:3: given\.tool: .*named/) }),
    );
  });
});

describe('a case', () => {
  test('fails when a part of the answer that it names differs: verdict, reasons, obligations or notes', () => {
    const differing: [string, string[]][] = [
      ['{verdict: deny}', ['verdict']],
      ['{reasons: []}', ['reasons']],
      ['{reasons: [{rule: allow_listed, text: Another.}]}', ['reasons']],
      [`{verdict: allow, reasons: [${GRANTED}], notes: [${GRANTED}]}`, ['notes']],
      ['{verdict: deny, obligations: [{name: redact}]}', ['verdict', 'obligations']],
    ];
    for (const [expected, differs] of differing) {
      const [result] = runCases(bundle, parseCases('x.yaml', file('{}', expected)));
      expect(result).toMatchObject({ passed: false, differs, actual: { verdict: 'allow' } });
    }
  });

  test('passes when the part that it names is as expected, and a reason may be named by its rule', () => {
    for (const expected of ['{verdict: allow}', '{reasons: [{rule: allow_listed}]}', '{notes: []}']) {
      const [result] = runCases(bundle, parseCases('x.yaml', file('{}', expected)));
      expect(result).toMatchObject({ passed: true, differs: [] });
    }
  });

  test('is about the whole answer where its file says so', () => {
    const whole = (expected: string) => parseCases('x.yaml', `whole: true\n${file('{}', expected)}`);
    expect(runCases(bundle, whole('{verdict: allow}'))).toMatchObject([
      { passed: false, differs: ['reasons'] },
    ]);
    expect(runCases(bundle, whole(`{verdict: allow, reasons: [${GRANTED}]}`))).toMatchObject([
      { passed: true },
    ]);
  });

  test('passes when the whole answer is the expected one', () => {
    const [result] = runCases(
      bundle,
      parseCases('x.yaml', file('{}', `{verdict: allow, reasons: [${GRANTED}]}`)),
    );
    expect(result).toMatchObject({ passed: true, case: { name: 'a call', file: 'x.yaml', line: 3 } });
  });

  test("overrides its file's data and call, and these the policy's own data and the plain call", () => {
    const text = `
data: {config: {blocked_tools: [{tools: [pay]}]}}
given: {tool: {name: pay}}
cases:
  - {name: the data of the file, expect: {verdict: deny, reasons: [{rule: blocked_tools, text: This tool is blocked.}]}}
  - {name: the data of the case, data: {config: {blocked_tools: []}}, expect: {verdict: deny}}
  - {name: the call of the case, given: {tool: {name: read_order}}, expect: {verdict: allow, reasons: [${GRANTED}]}}
`;
    expect(runCases(bundle, parseCases('x.yaml', text)).map(({ passed }) => passed)).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('is read from files of any name in the folder of a rule, main/ and cases/, and a folder without cases has none', async () => {
    await expect(readCases(own)).resolves.toEqual([]);
    const folder = path.join(own, 'elsewhere');
    const named = ['cases/a.yaml', 'cases/below/b.yml', 'main/c.yaml', 'rules/mine/anything.yaml'];
    const others = [
      'd.yaml',
      'rules/e.yaml',
      'rules/mine/below/f.yaml',
      'rules/mine/data.yaml',
      'cases/.g.yaml',
    ];
    for (const name of [...named, ...others, 'data.yaml']) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), file('{}', '{verdict: allow}'));
    }
    const read = (await readCases(folder)).map((one) => path.relative(folder, one.file));
    expect(read.toSorted()).toEqual(named.toSorted());
    const ignored = (await ignoredFiles(folder)).map((name) => path.relative(folder, name));
    expect(ignored).toEqual(others.toSorted());
    const shipped = await readCases(base);
    expect(shipped.length).toBeGreaterThan(0);
    expect(shipped[0]?.file).toMatch(/rules\/[a-z_]+\/[a-z_]+_cases\.yaml$/);
  });
});
