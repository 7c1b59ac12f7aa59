/** Everything that tests a policy: it compiles, its tests and cases hold, and they reach its rules. */
import path from 'node:path';
import { buildBundle } from '@interlock/policy';
import { systemClock } from '@interlock/shell';
import { coverageOf, percentOf, type RuleCoverage } from './coverage.ts';
import type { FailedExpression } from './failed-expression.ts';
import { BASE_POLICIES, type RuleFolder, rulesOf, shown } from './folders.ts';
import { opaProgram, opaView } from './opa.ts';
import { measureCoverage, type RegoTest, runRegoTests } from './rego-tests.ts';

/** One thing that does not hold. */
export interface TestFailure extends FailedExpression {
  name: string;
}

/** What came of testing a policy. */
export interface PolicyReport {
  passed: boolean;
  tests: number;
  rules: number;
  failures: TestFailure[];
  /** Absent where only some tests ran, or one failed. */
  coverage?: { percent: number; rules: RuleCoverage[] };
  tookMs: number;
}

export interface TestingOptions {
  /** Only what this regular expression matches. */
  only?: string | undefined;
  /** Per cent of each rule's lines that tests must reach. */
  coverageMin?: number | undefined;
  signal: AbortSignal;
}

/** Tests a policy. Throws `configuration_invalid` with file and line where it does not compile. */
export async function testPolicies(
  folders: string[],
  { only, coverageMin, signal }: TestingOptions,
): Promise<PolicyReport> {
  const startedMs = systemClock.monotonicMs();
  const rules = await rulesOf(folders);
  await using view = await opaView(folders, opaProgram());
  const [built, tested, reached] = await Promise.allSettled([
    buildBundle({ opaBin: opaProgram(), folders, signal }),
    runRegoTests(view, { only, signal }),
    only === undefined ? measureCoverage(view, signal) : undefined,
  ]);
  // The compiler's word comes first: where a rule is wrong, its tests say the same less well.
  for (const result of [built, tested, reached]) if (result.status === 'rejected') throw result.reason;
  const tests = tested.status === 'fulfilled' ? tested.value : [];
  const files = reached.status === 'fulfilled' ? reached.value : undefined;
  const coverage =
    files === undefined
      ? undefined
      : { percent: percentOf(files), rules: coverageOf([...rules, MAIN], files) };
  const failures = [
    ...tests.flatMap(failureOf),
    ...(only === undefined ? untested(rules, tests) : []),
    ...(coverage?.rules ?? []).flatMap((rule) => belowOf(rule, coverageMin)),
  ];
  return {
    passed: failures.length === 0,
    tests: tests.length,
    rules: rules.length,
    failures,
    ...(coverage === undefined ? {} : { coverage }),
    tookMs: Math.round(systemClock.monotonicMs() - startedMs),
  };
}

/** How rules are composed is tested like a rule. */
const MAIN: RuleFolder = { name: 'main', folder: path.join(BASE_POLICIES, 'main'), owner: 0 };

function failureOf({ name, failed }: RegoTest): TestFailure[] {
  return failed === undefined ? [] : [{ name, ...failed }];
}

function untested(rules: readonly RuleFolder[], tests: readonly RegoTest[]): TestFailure[] {
  const tested = new Set(tests.map(({ subject }) => subject));
  return rules
    .filter(({ name }) => !tested.has(`interlock.rules.${name}`))
    .map(({ name, folder }) => ({
      name,
      file: shown(path.join(folder, `${name}.rego`)),
      line: 1,
      expected: `a test in ${name}_test.rego`,
      came: 'none',
    }));
}

function belowOf({ rule, percent, missed }: RuleCoverage, coverageMin = 0): TestFailure[] {
  if (percent >= coverageMin) return [];
  const [first = ''] = missed;
  const [, file = '', line = '1'] = /^(.*):(\d+)/.exec(first) ?? [];
  return [
    {
      name: rule,
      file,
      line: Number(line),
      expected: `at least ${coverageMin} % of it reached`,
      came: `${percent} %`,
    },
  ];
}
