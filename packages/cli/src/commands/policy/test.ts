import { type PolicyReport, policyFolders, testPolicies } from '@interlock/policy-analysis';
import { type Command, InvalidArgumentError } from 'commander';
import { type ConfigurationMistakes, configurationAround } from '../../configuration-around.ts';
import { exitCodes } from '../../exit-codes.ts';
import { foldersOf } from '../../folders.ts';
import { print, table } from '../../output.ts';
import { type CommonOptions, command } from '../options.ts';

interface TestOptions extends CommonOptions {
  run?: RegExp;
  coverageMin?: number;
}

/** `interlock policy test`: runs Rego tests and cases in YAML, and measures how much of each rule they reach. */
export function testCommand(): Command {
  return command(
    'test',
    'run the tests and cases of policies; Interlock need not run',
    'interlock policy test examples/quickstart/policies --coverage-min 90',
  )
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .option(
      '--run <pattern>',
      'run only tests and cases whose rule or name matches this regular expression',
      pattern,
    )
    .option('--coverage-min <percent>', 'fail when the tests of a rule reach less of its lines', percent)
    .action(runTest);
}

async function runTest(dir: string | undefined, options: TestOptions): Promise<void> {
  const { run: only, coverageMin } = options;
  const folders = await policyFolders(dir, foldersOf(options).config);
  const tested = await testPolicies(folders, { only, coverageMin, signal: new AbortController().signal });
  const configuration = await configurationAround(dir, foldersOf(options).config);
  const report = { ...tested, configuration, passed: tested.passed && configuration.refused.length === 0 };
  print(options, report, textOf(report));
  if (!report.passed) process.exitCode = exitCodes.failed;
}

interface TestReport extends PolicyReport {
  configuration: ConfigurationMistakes;
}

function textOf(report: TestReport): string {
  const { passed, tests, cases, rules, failures, ignored, coverage, tookMs, configuration } = report;
  const failed = failures.map(
    ({ file, line, name, expected, actual }) =>
      `FAIL  ${file}:${line}  ${name}\n      expected  ${expected}\n      actual    ${actual}\n`,
  );
  const missing = (coverage?.rules ?? []).filter(({ missed }) => missed.length > 0);
  const rows = missing.map(({ rule, percent: share, missed }) => [rule, `${share} %`, missed.join(', ')]);
  const reached = coverage === undefined ? '' : `, tests reach ${coverage.percent} % of their lines`;
  const warnings = ignored.map(
    (file) =>
      `WARNING  ${file} was not read: cases belong in rules/<rule>/ or main/, in a file whose name ends in _cases.yaml`,
  );
  const refused = configuration.refused.map((line) => `FAIL  ${line}`);
  return [
    ...failed,
    ...refused,
    ...warnings,
    ...configuration.warnings.map((line) => `WARNING  ${line}`),
    ...(rows.length === 0 ? [] : [`${table(['rule', 'reached', 'no test reaches'], rows)}\n`]),
    `${passed ? 'passed' : `FAILED: ${failures.length + refused.length}`}  ${tests} tests and ${cases} cases of ${rules} rules${reached}; ${(tookMs / 1_000).toFixed(1)} s`,
  ].join('\n');
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('Write a regular expression.');
  }
}

function percent(text: string): number {
  const share = Number(text);
  if (/^\d{1,3}(\.\d)?$/.test(text) && share <= 100) return share;
  throw new InvalidArgumentError('Write a number from 0 to 100.');
}
