/** The result of `interlock policy test`, as text and as Markdown. */
import type { LintFinding, PolicyReport } from '@interlock/policy-analysis';
import type { ConfigurationMistakes } from '../configuration-around.ts';
import { table } from '../output.ts';
import { markdownTable } from './markdown.ts';

export interface TestReport extends PolicyReport {
  configuration: ConfigurationMistakes;
  /** What Regal found in the user's own rules; absent where Regal is not installed. */
  lint?: LintFinding[];
}

const CASES_BELONG = 'cases belong in rules/<rule>/, main/ or cases/, and data in data.yaml beside them';

/** Returns the report as text. */
export function testText(report: TestReport): string {
  const { failures, ignored, coverage, configuration, lint = [] } = report;
  const failed = failures.map(
    ({ file, line, name, expected, actual }) =>
      `FAIL  ${file}:${line}  ${name}\n      expected  ${expected}\n      actual    ${actual}\n`,
  );
  const missing = (coverage?.rules ?? []).filter(({ missed }) => missed.length > 0);
  const rows = missing.map(({ rule, percent: share, missed }) => [rule, `${share} %`, missed.join(', ')]);
  return [
    ...failed,
    ...configuration.refused.map((line) => `FAIL  ${line}`),
    ...ignored.map((file) => `WARNING  ${file} was not read: ${CASES_BELONG}`),
    ...configuration.warnings.map((line) => `WARNING  ${line}`),
    ...lint.map(({ file, line, rule, text }) => `WARNING  ${file}:${line}  regal ${rule}: ${text}`),
    ...(rows.length === 0 ? [] : [`${table(['rule', 'reached', 'no test reaches'], rows)}\n`]),
    summaryOf(report),
  ].join('\n');
}

/** Returns the report as Markdown, for a pull request. */
export function testMarkdown(report: TestReport): string {
  const { passed, failures, ignored, coverage, configuration, lint } = report;
  const missing = (coverage?.rules ?? []).filter(({ missed }) => missed.length > 0);
  const warnings = [
    ...ignored.map((file) => ({ where: file, what: `not read: ${CASES_BELONG}` })),
    ...configuration.warnings.map((line) => ({ where: '', what: line })),
    ...(lint ?? []).map(({ file, line, rule, text }) => ({
      where: `${file}:${line}`,
      what: `regal ${rule}: ${text}`,
    })),
  ];
  const parts = [
    `### Policy tests: ${passed ? 'passed' : 'FAILED'}`,
    `${summaryOf(report)}.${lint === undefined ? ' Regal is not installed here, so the rules were not linted.' : ''}`,
    ...section(
      'Failures',
      ['where', 'test or case', 'expected', 'actual'],
      [
        ...failures.map(({ file, line, name, expected, actual }) => [
          `${file}:${line}`,
          name,
          expected,
          actual,
        ]),
        ...configuration.refused.map((line) => ['configuration', line, '', '']),
      ],
    ),
    ...section(
      'Warnings',
      ['where', 'what'],
      warnings.map(({ where, what }) => [where, what]),
    ),
    ...section(
      'Lines that no test reaches',
      ['rule', 'reached', 'lines'],
      missing.map(({ rule, percent, missed }) => [rule, `${percent} %`, missed.join(', ')]),
    ),
  ];
  return parts.join('\n\n');
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [`#### ${title}`, markdownTable(head, rows)];
}

function summaryOf({
  passed,
  tests,
  cases,
  rules,
  failures,
  coverage,
  tookMs,
  configuration,
}: TestReport): string {
  const reached = coverage === undefined ? '' : `, tests reach ${coverage.percent} % of their lines`;
  const verdict = passed ? 'passed' : `FAILED: ${failures.length + configuration.refused.length}`;
  return `${verdict}  ${tests} tests and ${cases} cases of ${rules} rules${reached}; ${(tookMs / 1_000).toFixed(1)} s`;
}
