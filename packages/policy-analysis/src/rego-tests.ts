/** Runs the tests written in Rego and measures how much of each rule they reach. */
import { Failure } from '@interlock/shell';
import { z } from 'zod';
import {
  type FailedExpression,
  failedExpression,
  type TraceEvent,
  traceEventSchema,
} from './failed-expression.ts';
import type { OpaResult, OpaView } from './opa.ts';

/** One test and its result. */
export interface RegoTest {
  name: string;
  /** The package under test: `interlock.rules.amount_cap`. */
  subject: string;
  file: string;
  line: number;
  /** The expression that did not hold; absent for a test that passed. */
  failed?: FailedExpression;
}

/** How much of one file tests reach. */
export interface FileCoverage {
  file: string;
  /** The number of lines that tests can reach, and the lines that none reached. */
  lines: number;
  missed: number[];
}

/** Explaining a failure takes a second run with a trace; a person does not read more at once. */
const EXPLAINED_MAX = 50;
const ERROR_TEXT_MAX = 4_000;

const resultSchema = z.object({
  location: z.object({ file: z.string(), row: z.int() }),
  package: z.string(),
  name: z.string(),
  fail: z.boolean().default(false),
  skip: z.boolean().default(false),
  error: z.unknown().optional(),
  trace: z.array(traceEventSchema).default([]),
});
type Result = z.infer<typeof resultSchema>;
const resultsSchema = z.array(resultSchema).nullable();

const rangesSchema = z
  .array(z.object({ start: z.object({ row: z.int() }), end: z.object({ row: z.int() }) }))
  .default([]);
const coverageSchema = z.object({
  files: z.record(z.string(), z.object({ covered: rangesSchema, not_covered: rangesSchema })),
});

/**
 * Runs the tests; `only` is matched against their packages and names.
 * Throws `configuration_invalid` when a file cannot be compiled.
 */
export async function runRegoTests(
  view: OpaView,
  { only, signal }: { only?: RegExp | undefined; signal: AbortSignal },
): Promise<RegoTest[]> {
  const filter = only === undefined ? [] : ['--run', only.source];
  const results = await resultsOf(view, filter, signal);
  const failed = results.filter(({ fail }) => fail).slice(0, EXPLAINED_MAX);
  const explained = failed.length === 0 ? [] : await explain(view, failed, signal);
  const traces = new Map(explained.map((result) => [fullName(result), result.trace] as const));
  return results.map((result) => {
    const { location, package: where, name } = result;
    const place = { file: view.fileOf(location.file), line: location.row };
    const test = { name, subject: where.replace(/^data\./, '').replace(/_test$/, ''), ...place };
    const failure = failureOf(result, traces.get(fullName(result)) ?? [], view);
    return failure === undefined ? test : { ...test, failed: { ...place, ...failure } };
  });
}

async function resultsOf(view: OpaView, flags: readonly string[], signal: AbortSignal): Promise<Result[]> {
  const answer = await view.run(['test', '--format', 'json', ...flags, '--', ...view.files], signal);
  return read(answer, resultsSchema, view) ?? [];
}

/** Runs failed tests again with the values of variables, which would be megabytes for all tests. */
async function explain(view: OpaView, failed: readonly Result[], signal: AbortSignal): Promise<Result[]> {
  const names = failed.map((result) => fullName(result).replaceAll('.', '\\.'));
  return await resultsOf(view, ['--var-values', '--run', `^(${names.join('|')})$`], signal);
}

function fullName({ package: where, name }: Result): string {
  return `${where}.${name}`;
}

function failureOf(
  { fail, skip, error }: Result,
  trace: readonly TraceEvent[],
  view: OpaView,
): (Partial<FailedExpression> & Pick<FailedExpression, 'expected' | 'actual'>) | undefined {
  if (skip) return { expected: 'a test that runs', actual: 'it was skipped' };
  if (error !== undefined && error !== null)
    return { expected: 'a test without an error', actual: messageOf(error) };
  if (!fail) return undefined;
  const expression = failedExpression(trace);
  if (expression === undefined) return { expected: 'a test that holds', actual: 'undefined' };
  return { ...expression, file: view.fileOf(expression.file) };
}

/** Measures which lines of the rules the tests reach. Returns undefined when a test fails: opa then measures nothing. */
export async function measureCoverage(
  view: OpaView,
  signal: AbortSignal,
): Promise<FileCoverage[] | undefined> {
  const answer = await view.run(
    ['test', '--format', 'json', '--coverage', '--coverage-runs', '', '--', ...view.files],
    signal,
  );
  if (!answer.succeeded) return undefined;
  const { files } = read(answer, coverageSchema, view);
  return Object.entries(files)
    .filter(([file]) => !file.endsWith('_test.rego'))
    .map(([file, { covered, not_covered }]) => {
      // A line counts as reached when every expression on it was.
      const missed = linesOf(not_covered);
      return {
        file: view.fileOf(file),
        lines: new Set([...linesOf(covered), ...missed]).size,
        missed: [...missed].sort((one, other) => one - other),
      };
    });
}

function linesOf(ranges: z.infer<typeof rangesSchema>): Set<number> {
  return new Set(ranges.map(({ start }) => start.row));
}

function messageOf(error: unknown): string {
  const parsed = z.object({ message: z.string() }).safeParse(error);
  return parsed.success ? parsed.data.message : JSON.stringify(error);
}

/** Reads the document that opa wrote; without one, opa reported an error. */
function read<S extends z.ZodType>({ stdout, stderr }: OpaResult, schema: S, view: OpaView): z.output<S> {
  try {
    return schema.parse(JSON.parse(stdout));
  } catch (cause) {
    const detail =
      view.withPaths(stderr.trim() || stdout.trim().slice(0, ERROR_TEXT_MAX)) || 'opa printed nothing.';
    throw new Failure('configuration_invalid', detail, { cause, next: 'Correct this and try again.' });
  }
}
