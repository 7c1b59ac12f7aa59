/** Tests a policy: it compiles, its tests and cases pass, and they reach its rules. */
import path from 'node:path';
import {
  buildBundle,
  type CaseResult,
  type ExpectedAnswer,
  ignoredFiles,
  type PolicyCase,
  readCases,
  runCases,
} from '@interlock/policy';
import { systemClock } from '@interlock/shell';
import { coverageOf, percentOf, type RuleCoverage } from './coverage.ts';
import type { FailedExpression } from './failed-expression.ts';
import { createCallCompleter, type KnownConfiguration, NOTHING_KNOWN } from './known-calls.ts';
import { opaProgram, opaView } from './opa.ts';
import { BASE_POLICIES, displayPath, type RuleFolder, rulesOf } from './policy-folders.ts';
import { measureCoverage, type RegoTest, runRegoTests } from './rego-tests.ts';

/** A test or a case that failed, or a rule that is not tested enough. */
export interface TestFailure extends FailedExpression {
  name: string;
}

/** The result of testing a policy. */
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
  /** The configuration that the cases are about: its tools and agents. */
  known?: KnownConfiguration | undefined;
  /** Leaves out the tests and the coverage of the rules that come with Interlock. */
  mine?: boolean | undefined;
  signal: AbortSignal;
}

/** Tests a policy. Throws `configuration_invalid` with file and line where it does not compile. */
export async function testPolicies(
  folders: string[],
  { only, coverageMin, known = NOTHING_KNOWN, mine = false, signal }: TestingOptions,
): Promise<PolicyReport> {
  const startedMs = systemClock.monotonicMs();
  const all = await rulesOf(folders);
  const rules = mine ? all.filter(({ folderIndex }) => folderIndex === folders.length - 1) : all;
  const cases = await casesOf(folders, { only, known });
  await using view = await opaView(folders, opaProgram(), mine ? [folders.length - 1] : undefined);
  const [caseResults, tests, files] = await inOrder([
    buildBundle({ opaBin: opaProgram(), folders, signal }).then((bundle) => runCases(bundle, cases)),
    runRegoTests(view, { only, signal }),
    only === undefined ? measureCoverage(view, signal) : Promise.resolve(undefined),
  ]);
  const coverage =
    files === undefined
      ? undefined
      : {
          percent: percentOf(mine ? files.filter(isOneOf(rules)) : files),
          rules: coverageOf(mine ? rules : [...rules, MAIN], files),
        };
  const failures = [
    ...tests.flatMap(testFailureOf),
    ...caseResults.flatMap(caseFailureOf),
    ...(only === undefined ? untested(rules, tests, cases) : []),
    ...(coverage?.rules ?? []).flatMap((rule) => coverageFailureOf(rule, coverageMin)),
  ];
  return {
    passed: failures.length === 0,
    tests: tests.length,
    cases: cases.length,
    rules: rules.length,
    failures,
    ignored: (await ignoredFiles(ownOf(folders))).map(displayPath),
    ...(coverage === undefined ? {} : { coverage }),
    tookMs: Math.round(systemClock.monotonicMs() - startedMs),
  };
}

/**
 * Returns the cases of the last folder. The cases of the rules that come with Interlock hold without other rules and
 * data, which may change the answers.
 */
async function casesOf(
  folders: readonly string[],
  { only, known }: { only: RegExp | undefined; known: KnownConfiguration },
): Promise<PolicyCase[]> {
  await using completer = createCallCompleter(known);
  const found = await readCases(ownOf(folders));
  const cases =
    only === undefined ? found : found.filter((one) => only.test(`${subjectOf(one)} ${one.name}`));
  const completed: PolicyCase[] = [];
  for (const one of cases) completed.push({ ...one, given: await completer.complete(one.given) });
  return completed;
}

/** What a case is about, by its file: the name of a rule, in most. */
function subjectOf({ file }: PolicyCase): string {
  return path.parse(file).name.replace(/_cases$/, '');
}

function isOneOf(rules: readonly RuleFolder[]): (covered: { file: string }) => boolean {
  const folders = rules.map(({ folder }) => displayPath(folder) + path.sep);
  return ({ file }) => folders.some((folder) => file.startsWith(folder));
}

function ownOf(folders: readonly string[]): string {
  return folders.at(-1) ?? BASE_POLICIES;
}

/** Waits for all and throws the first error in order: a rule that does not compile also fails its tests, less clearly. */
async function inOrder<T extends readonly unknown[]>(work: readonly [...{ [K in keyof T]: Promise<T[K]> }]) {
  await Promise.allSettled(work);
  for (const one of work) await one;
  return await Promise.all(work);
}

/** The composition of the rules is tested like a rule. */
const MAIN: RuleFolder = { name: 'main', folder: path.join(BASE_POLICIES, 'main'), folderIndex: 0 };

function testFailureOf({ name, failed }: RegoTest): TestFailure[] {
  return failed === undefined ? [] : [{ name, ...failed }];
}

/** Reports only the parts of the answer that differ. */
function caseFailureOf({ case: policyCase, passed, actual, differs }: CaseResult): TestFailure[] {
  if (passed) return [];
  const { name, file, line, expected } = policyCase;
  const location = { name, file: displayPath(file), line };
  if (typeof actual === 'string') return [{ ...location, expected: expected.verdict ?? 'an answer', actual }];
  const differing = (answer: ExpectedAnswer) =>
    JSON.stringify(Object.fromEntries(differs.map((part) => [part, answer[part]])));
  return [{ ...location, expected: differing(expected), actual: differing(actual) }];
}

function untested(
  rules: readonly RuleFolder[],
  tests: readonly RegoTest[],
  cases: readonly PolicyCase[],
): TestFailure[] {
  const tested = new Set([
    ...tests.map(({ subject }) => subject),
    ...cases.flatMap(({ expected }) => (expected.reasons ?? []).map(({ rule }) => `interlock.rules.${rule}`)),
  ]);
  const hasCases = (folder: string) => cases.some(({ file }) => path.dirname(file) === folder);
  return rules
    .filter(({ name, folder }) => !tested.has(`interlock.rules.${name}`) && !hasCases(folder))
    .map(({ name, folder }) => ({
      name,
      file: displayPath(path.join(folder, `${name}.rego`)),
      line: 1,
      expected: `a test in ${name}_test.rego`,
      actual: 'none',
    }));
}

function coverageFailureOf({ rule, percent, missed }: RuleCoverage, coverageMin = 0): TestFailure[] {
  if (percent >= coverageMin) return [];
  const [first = ''] = missed;
  const [, file = '', line = '1'] = /^(.*):(\d+)/.exec(first) ?? [];
  return [
    {
      name: rule,
      file,
      line: Number(line),
      expected: `tests reach at least ${coverageMin} % of it`,
      actual: `${percent} %`,
    },
  ];
}
