/** Everything that tests a policy: it compiles, its tests and cases hold, and they reach its rules. */
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PolicyAnswer } from '@interlock/contracts';
import {
  buildBundle,
  type CaseResult,
  ignoredFiles,
  type PolicyCase,
  readCases,
  runCases,
} from '@interlock/policy';
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
  cases: number;
  rules: number;
  failures: TestFailure[];
  /** YAML files whose name or folder is not that of cases: nothing in them was run. */
  ignored: string[];
  /** Absent where only some tests ran, or one failed. */
  coverage?: { percent: number; rules: RuleCoverage[] };
  tookMs: number;
}

export interface TestingOptions {
  /** Runs only what it matches: a test's package and name, a case's file and name. */
  only?: RegExp | undefined;
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
  const cases = await casesOf(folders, only);
  await using view = await opaView(folders, opaProgram());
  const [asked, tests, files] = await inOrder([
    buildBundle({ opaBin: opaProgram(), folders, signal }).then((bundle) => runCases(bundle, cases)),
    runRegoTests(view, { only, signal }),
    only === undefined ? measureCoverage(view, signal) : Promise.resolve(undefined),
  ]);
  const coverage =
    files === undefined
      ? undefined
      : { percent: percentOf(files), rules: coverageOf([...rules, MAIN], files) };
  const failures = [
    ...tests.flatMap(failureOf),
    ...asked.flatMap(caseFailureOf),
    ...(only === undefined ? untested(rules, tests, cases) : []),
    ...(coverage?.rules ?? []).flatMap((rule) => belowOf(rule, coverageMin)),
  ];
  return {
    passed: failures.length === 0,
    tests: tests.length,
    cases: cases.length,
    rules: rules.length,
    failures,
    ignored: (await ignoredFiles(ownOf(folders))).map(shown),
    ...(coverage === undefined ? {} : { coverage }),
    tookMs: Math.round(systemClock.monotonicMs() - startedMs),
  };
}

/**
 * Returns the cases of the last folder: those of the rules that come with Interlock say what these do alone, and
 * another's rules and data may say otherwise.
 */
async function casesOf(folders: readonly string[], only: RegExp | undefined): Promise<PolicyCase[]> {
  const cases = await readCases(ownOf(folders));
  return only === undefined
    ? cases
    : cases.filter(({ file, name }) => only.test(`${path.basename(file, '_cases.yaml')} ${name}`));
}

function ownOf(folders: readonly string[]): string {
  return folders.at(-1) ?? BASE_POLICIES;
}

/** Waits for all, and throws what the first in order threw: where a rule is wrong, its tests say the same less well. */
async function inOrder<T extends readonly unknown[]>(work: readonly [...{ [K in keyof T]: Promise<T[K]> }]) {
  await Promise.allSettled(work);
  for (const one of work) await one;
  return await Promise.all(work);
}

/** How rules are composed is tested like a rule. */
const MAIN: RuleFolder = { name: 'main', folder: path.join(BASE_POLICIES, 'main'), owner: 0 };

function failureOf({ name, failed }: RegoTest): TestFailure[] {
  return failed === undefined ? [] : [{ name, ...failed }];
}

const PARTS = ['verdict', 'reasons', 'obligations', 'notes'] as const;

/** Tells only what differs: the rest of an answer is no news. */
function caseFailureOf({ case: { name, file, line, expected }, passed, came }: CaseResult): TestFailure[] {
  if (passed) return [];
  const place = { name, file: shown(file), line };
  if (typeof came === 'string') return [{ ...place, expected: expected.verdict, came }];
  const parts = PARTS.filter((part) => !isDeepStrictEqual(expected[part], came[part]));
  const only = (answer: PolicyAnswer) =>
    JSON.stringify(Object.fromEntries(parts.map((part) => [part, answer[part]])));
  return [{ ...place, expected: only(expected), came: only(came) }];
}

function untested(
  rules: readonly RuleFolder[],
  tests: readonly RegoTest[],
  cases: readonly PolicyCase[],
): TestFailure[] {
  const tested = new Set([
    ...tests.map(({ subject }) => subject),
    ...cases.flatMap(({ expected }) => expected.reasons.map(({ rule }) => `interlock.rules.${rule}`)),
  ]);
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
