import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { agentFileSchema, toolFileSchema } from '@interlock/contracts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toolsOf } from './folder/folder-names.ts';
import { ruleFiles } from './new-rule.ts';
import { BASE_POLICIES } from './policy-folders.ts';
import { testPolicies } from './testing.ts';

const { signal } = new AbortController();
let base = '';
let own = '';
let scratch = '';

beforeEach(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'interlock-testing-'));
  base = path.join(scratch, 'base');
  own = path.join(scratch, 'own');
  await cp(path.join(BASE_POLICIES, 'main'), path.join(base, 'main'), { recursive: true });
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

async function write(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = path.join(own, 'rules', name);
  await mkdir(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(path.join(folder, file), content);
  return folder;
}

const CAUTIOUS = `package interlock.rules.cautious

deny contains "Never." if input.tool.name == "drop"

ask contains "Really?" if {
	input.tool.name == "send"
	not input.approval
}
`;
/** A test file with some lines of its own below the package and the import. */
const tests = (...lines: string[]) =>
  [
    'package interlock.rules.cautious_test',
    '',
    'import data.interlock.rules.cautious',
    '',
    ...lines,
    '',
  ].join('\n');

describe('[P-policy-tested] a failure', () => {
  test.each<[string, string[], { line: number; expected: string; actual: string }]>([
    [
      'a set that is another',
      ['test_it if {', '\tcautious.deny == {"Never."} with input as {"tool": {"name": "read"}}', '}'],
      { line: 6, expected: '{"Never."}', actual: 'set()' },
    ],
    [
      'a document of a helper',
      [
        '_asked := said if said := {"ask": cautious.ask} with input as {"tool": {"name": "send"}}',
        '',
        'test_it if {',
        '\t_asked == {"ask": set()}',
        '}',
      ],
      { line: 8, expected: '{"ask": set()}', actual: '{"ask": {"Really?"}}' },
    ],
    [
      'a word that is missing',
      ['test_it if {', '\t"Never." in cautious.deny with input as {}', '}'],
      { line: 6, expected: '"Never." in set()', actual: 'it does not hold' },
    ],
    [
      'a word that should be missing',
      ['test_it if {', '\tnot "Never." in cautious.deny with input as {"tool": {"name": "drop"}}', '}'],
      { line: 6, expected: 'not "Never." in {"Never."}', actual: 'it holds' },
    ],
    [
      'a test that is skipped',
      ['todo_test_it if false'],
      { line: 5, expected: 'a test that runs', actual: 'it was skipped' },
    ],
  ])(
    'is reported with file and line, the expected and the actual result: %s',
    async (_what, lines, failed) => {
      const folder = await write('cautious', {
        'cautious.rego': CAUTIOUS,
        'cautious_test.rego': tests(...lines),
      });
      const { passed, failures } = await testPolicies([base, own], { signal });
      expect({ passed, failures }).toEqual({
        passed: false,
        failures: [
          {
            ...failed,
            name: expect.stringMatching(/test_it$/),
            file: path.join(folder, 'cautious_test.rego'),
          },
        ],
      });
    },
  );

  test('is also a rule without a test', async () => {
    const folder = await write('cautious', { 'cautious.rego': CAUTIOUS });
    const { passed, failures } = await testPolicies([base, own], { signal });
    expect(passed).toBe(false);
    expect(failures).toEqual([
      {
        name: 'cautious',
        file: path.join(folder, 'cautious.rego'),
        line: 1,
        expected: 'a test in cautious_test.rego',
        actual: 'none',
      },
    ]);
  });
});

describe('[P-policy-tested] a file that does not compile', () => {
  test('is reported with its own path and line: a rule', async () => {
    const folder = await write('cautious', {
      'cautious.rego': CAUTIOUS.replace('input.tool.name', 'input.tool.nome'),
      'cautious_test.rego': tests('test_it if cautious.deny == set() with input as {}'),
    });
    await expect(testPolicies([base, own], { signal })).rejects.toMatchObject({
      code: 'configuration_invalid',
      detail: expect.stringContaining(`${path.join(folder, 'cautious.rego')}:3: `),
    });
  });

  test('is reported with its own path and line: a test', async () => {
    const folder = await write('cautious', {
      'cautious.rego': CAUTIOUS,
      'cautious_test.rego': tests('test_it if {', '\tcautious.deny( == set()', '}'),
    });
    await expect(testPolicies([base, own], { signal })).rejects.toMatchObject({
      code: 'configuration_invalid',
      detail: expect.stringContaining(`${path.join(folder, 'cautious_test.rego')}:6: `),
    });
  });
});

describe('[P-policy-tested] coverage', () => {
  const half = tests('test_it if cautious.deny == {"Never."} with input as {"tool": {"name": "drop"}}');

  test('lists the lines that no test reaches', async () => {
    const folder = await write('cautious', { 'cautious.rego': CAUTIOUS, 'cautious_test.rego': half });
    const { passed, coverage } = await testPolicies([base, own], { signal });
    expect(passed).toBe(true);
    const found = coverage?.rules.find(({ rule }) => rule === 'cautious');
    expect(found?.missed).toEqual([`${path.join(folder, 'cautious.rego')}:5-7`]);
    expect(found?.percent).toBeLessThan(50);
  });

  test('below the wanted percentage is a failure', async () => {
    await write('cautious', { 'cautious.rego': CAUTIOUS, 'cautious_test.rego': half });
    const { passed, failures } = await testPolicies([base, own], { signal, coverageMin: 60 });
    expect(passed).toBe(false);
    expect(failures).toMatchObject([
      { name: 'cautious', line: 5, expected: 'tests reach at least 60 % of it' },
    ]);
  });
});

test('with a pattern only matching tests run, without coverage', async () => {
  await write('cautious', {
    'cautious.rego': CAUTIOUS,
    'cautious_test.rego': tests(
      'test_good if cautious.deny == set() with input as {}',
      '',
      'test_bad if cautious.deny == {"Never."} with input as {}',
    ),
  });
  const report = await testPolicies([base, own], { signal, only: /test_good/ });
  expect(report).toMatchObject({ passed: true, tests: 1, failures: [] });
  expect(report.coverage).toBeUndefined();
});

test('[P-policy-tested] YAML files that are not cases by their folder are listed, except data', async () => {
  await write('cautious', { 'cautious.rego': CAUTIOUS, 'data.yaml': 'config: {}\n' });
  for (const file of ['data.yaml', 'cautious_cases.yaml', path.join('notes', 'cautious_cases.yaml')]) {
    await mkdir(path.dirname(path.join(own, file)), { recursive: true });
    await writeFile(path.join(own, file), 'config: {}\n');
  }
  const { ignored } = await testPolicies([base, own], { signal, only: /nothing/ });
  const expected = ['cautious_cases.yaml', 'notes/cautious_cases.yaml', 'rules/cautious/data.yaml'];
  expect(ignored).toEqual(expected.map((file) => path.join(own, file)).sort());
});

describe('[P-policy-tested] a case knows the configuration', () => {
  const PAY = {
    name: 'pay',
    description: 'Makes a payment.',
    labels: ['spends', 'writes'],
    spends: '/amount',
    parse: [{ at: '/iban', as: 'path' }],
    environment: 'production',
    inputSchema: { type: 'object' },
    http: { method: 'POST', url: 'https://pay.example/x', egress: { allow: ['pay.example'] } },
  };
  const CLERK = { agent: 'clerk', tenant: 'acme', user: 'alice', roles: ['bookkeeping'] };
  const SPENDING = `package interlock.rules.spending

deny contains $"{input.spends} of {concat("+", input.tool.labels)} for {input.subject.user} in {input.tool.environment}, {input.facts.paths[0].normalized}."
`;
  const cases = (given: string, reasons: string) => `
data: { config: {} }
cases:
  - name: a payment
    given: ${given}
    expect: { reasons: [${reasons}] }
`;

  async function report(given: string, text: string, tool: object = PAY) {
    await write('spending', {
      'spending.rego': SPENDING,
      'payments.yaml': cases(given, `{ rule: spending, text: ${JSON.stringify(text)} }`),
    });
    const known = { tools: toolsOf(toolFileSchema.parse(tool)), agents: [agentFileSchema.parse(CLERK)] };
    return await testPolicies([base, own], { signal, only: /payment/, known });
  }
  const GIVEN = '{ tool: pay, subject: { agent: clerk }, arguments: { amount: 7, iban: a/./b } }';
  const SAYS = '7 of spends+writes for alice in production, a/b.';

  test('its tools with labels, environment, spending and what their arguments hold, and its agents', async () => {
    expect((await report(GIVEN, SAYS)).failures).toEqual([]);
  });

  test('so that it fails with a mistake in the file of the tool', async () => {
    for (const mistake of [{ spends: '/sum' }, { labels: [] }, { parse: [] }, { environment: undefined }]) {
      const { passed } = await report(GIVEN, SAYS, { ...PAY, ...mistake });
      expect(passed, JSON.stringify(mistake)).toBe(false);
    }
  });

  test('whose destinations are as new as the tool itself', async () => {
    const firstUses = async (tool: string) => {
      const saying = SPENDING.replace(/contains .*/, 'contains $"{input.facts.destinations[0].firstUse}"');
      await write('spending', {
        'spending.rego': saying,
        'payments.yaml': cases(`{ tool: ${tool} }`, '{ rule: spending, text: other }'),
      });
      const known = { tools: toolsOf(toolFileSchema.parse(PAY)), agents: [] };
      const { failures } = await testPolicies([base, own], { signal, only: /payment/, known });
      return failures.map(({ actual }) => actual);
    };
    const saying = (text: string) => [JSON.stringify({ reasons: [{ rule: 'spending', text }] })];
    expect(await firstUses('pay')).toEqual(saying('false'));
    expect(await firstUses('{ name: pay, firstUse: true }')).toEqual(saying('true'));
  });

  test('and what it gives itself is used instead', async () => {
    const given =
      '{ tool: { name: pay, labels: [writes], environment: test }, spends: 9, subject: { agent: clerk, user: bob }, arguments: { amount: 7, iban: a }, facts: { paths: [{ at: /x, readable: true, path: c, normalized: c, absolute: false, traverses: false, segments: [c] }] } }';
    expect((await report(given, '9 of writes for bob in test, c.')).failures).toEqual([]);
  });
});

test('[P-policy-tested] the tests and the coverage of the rules that come with Interlock can be left out', async () => {
  await write('cautious', {
    'cautious.rego': CAUTIOUS,
    'cautious_test.rego': tests('test_mine if cautious.deny == set() with input as {}'),
  });
  const all = await testPolicies([base, own], { signal });
  const mine = await testPolicies([base, own], { signal, mine: true });
  expect(mine).toMatchObject({ passed: true, tests: 1, rules: 1 });
  expect(mine.coverage?.rules.map(({ rule }) => rule)).toEqual(['cautious']);
  expect(all.tests).toBeGreaterThan(1);
  expect(all.coverage?.rules.map(({ rule }) => rule)).toContain('main');
});

describe('a new rule', () => {
  beforeEach(async () => {
    // Its cases say what comes of it together with the rules that come with Interlock.
    await cp(path.join(BASE_POLICIES, 'rules', 'allow_listed'), path.join(base, 'rules', 'allow_listed'), {
      recursive: true,
    });
    for (const [place, content] of Object.entries(ruleFiles('office_hours'))) {
      await mkdir(path.dirname(path.join(own, place)), { recursive: true });
      await writeFile(path.join(own, place), content);
    }
  });

  test('passes its own tests and cases, which reach all of it', async () => {
    const { passed, failures, coverage, cases } = await testPolicies([base, own], { signal });
    expect({ passed, failures, cases }).toEqual({ passed: true, failures: [], cases: 2 });
    expect(coverage?.rules).toContainEqual({ rule: 'office_hours', percent: 100, missed: [] });
  });

  test('[P-policy-tested] a case that fails is reported with file, line and what differs', async () => {
    const file = path.join(own, 'rules', 'office_hours', 'office_hours_cases.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('This tool may not be called.', 'Never.'));
    const { passed, failures } = await testPolicies([base, own], { signal });
    expect(passed).toBe(false);
    expect(failures).toEqual([
      {
        name: 'a tool it names is denied',
        file,
        line: 7,
        expected: '{"reasons":[{"rule":"office_hours","text":"Never."}]}',
        actual: '{"reasons":[{"rule":"office_hours","text":"This tool may not be called."}]}',
      },
    ]);
  });
});
