import { describe, expect, test } from 'vitest';
import { type TestReport, testMarkdown, testText } from './test-text.ts';

const REPORT: TestReport = {
  passed: false,
  tests: 4,
  cases: 2,
  rules: 1,
  failures: [
    {
      name: 'a | b\n<img src=x> @everyone',
      file: 'rules/a/a_cases.yaml',
      line: 7,
      expected: '{"verdict":"ask"}',
      actual: '{"verdict":"deny"}',
    },
  ],
  ignored: ['notes.yaml'],
  coverage: { percent: 90, rules: [{ rule: 'a', percent: 80, missed: ['3-4'] }] },
  configuration: { refused: ['data.yaml:3:5: no tool is called pya'], warnings: ['limits.yaml is missing'] },
  lint: [{ file: 'rules/a/a.rego', line: 2, rule: 'style/prefer-snake-case', text: 'Prefer snake_case' }],
  tookMs: 1_234,
};

describe('[P-policy-markdown] the report of policy test as Markdown', () => {
  const markdown = testMarkdown(REPORT);

  test('has failures, warnings and the lines that no test reaches in tables of one row each', () => {
    for (const row of [
      '| rules/a/a\\_cases.yaml\\:7 |',
      '| configuration | data.yaml\\:3\\:5\\: no tool is called pya |',
      '| rules/a/a.rego\\:2 | regal style/prefer-snake-case\\: Prefer snake\\_case |',
      '|  | limits.yaml is missing |',
      '| notes.yaml | not read\\:',
      '| a | 80 % | 3-4 |',
    ])
      expect(markdown.split('\n').filter((line) => line.startsWith(row))).toHaveLength(1);
    expect(markdown).toContain('### Policy tests: FAILED');
  });

  test('turns nothing that an author or an agent wrote into Markdown, HTML or a mention', () => {
    expect(markdown).toContain('a \\| b \\<img src=x\\> \\@everyone');
    expect(markdown).not.toMatch(/[^\\][<@]/);
  });

  test('says where the rules were not linted, since Regal is not there', () => {
    const { lint: _, ...unlinted } = REPORT;
    expect(testMarkdown(unlinted)).toContain('Regal is not installed');
    expect(markdown).not.toContain('Regal is not installed');
  });
});

test('[P-policy-linted] the report of policy test as text warns of what Regal found', () => {
  expect(testText(REPORT)).toContain(
    'WARNING  rules/a/a.rego:2  regal style/prefer-snake-case: Prefer snake_case',
  );
});
