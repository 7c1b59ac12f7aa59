/** Reads from the trace of a failed test what was expected and what was the case. */
import { z } from 'zod';
import { nameOf, type Term, termText } from './rego-terms.ts';

const termSchema = z.object({ type: z.string(), value: z.unknown() });
const placeSchema = z.object({ file: z.string(), row: z.int(), col: z.int() });
const expressionSchema = z.object({
  negated: z.boolean().default(false),
  terms: z.union([termSchema, z.array(termSchema)]),
});

/** One event of a trace that `opa test --format json --var-values` gives with a failed test. */
export const traceEventSchema = z.object({
  Op: z.string(),
  Location: placeSchema.nullish(),
  QueryID: z.int(),
  Node: z.unknown(),
  Locals: z.array(z.object({ name: z.string(), type: z.string(), value: z.unknown() })).nullish(),
  LocalMetadata: z.record(z.string(), z.object({ name: z.string() })).nullish(),
});
export type TraceEvent = z.infer<typeof traceEventSchema>;

/** The expression of a test that did not hold. */
export interface FailedExpression {
  file: string;
  line: number;
  expected: string;
  actual: string;
}

/** Returns the expression at which a test failed, or undefined where the trace does not show it. */
export function failedExpression(trace: readonly TraceEvent[]): FailedExpression | undefined {
  // The first query with a file is the test's own; the rules that it evaluates fail in queries of their own.
  const test = trace.find(({ Op, Location }) => Op === 'Enter' && (Location?.file ?? '') !== '')?.QueryID;
  const event = trace.findLast(({ Op, QueryID }) => Op === 'Fail' && QueryID === test);
  if (event?.Location == null) return undefined;
  const parsed = expressionSchema.safeParse(event.Node);
  if (!parsed.success) return undefined;
  const { file, row: line } = event.Location;
  return { file, line, ...compared(parsed.data, event) };
}

type Expression = z.infer<typeof expressionSchema>;
type Compared = Pick<FailedExpression, 'expected' | 'actual'>;

function compared({ negated, terms }: Expression, event: TraceEvent): Compared {
  const known = new Map((event.Locals ?? []).map(({ name, ...term }) => [name, term] as const));
  const text = (term: Term | undefined) => (term === undefined ? '' : termText(term, known));
  if (!Array.isArray(terms)) {
    const name = nameOf(terms);
    return negated
      ? { expected: `not ${name}`, actual: text(terms) }
      : { expected: name, actual: `${text(terms)} is undefined or false` };
  }
  const [operator, left, right, ...rest] = terms;
  const name = operator === undefined ? '' : nameOf(operator);
  if (!negated && (name === 'eq' || name === 'equal') && left !== undefined && right !== undefined) {
    // A variable of the compiler has the actual value; what the author wrote or named is expected.
    const leftIsActual = isCompilerVariable(left, event) || !isCompilerVariable(right, event);
    return leftIsActual
      ? { expected: text(right), actual: text(left) }
      : { expected: text(left), actual: text(right) };
  }
  const operatorText = OPERATORS[name];
  const expression =
    operatorText !== undefined && rest.length === 0
      ? `${text(left)} ${operatorText} ${text(right)}`
      : `${name}(${[left, right, ...rest].map(text).join(', ')})`;
  return negated
    ? { expected: `not ${expression}`, actual: 'it holds' }
    : { expected: expression, actual: 'it does not hold' };
}

const OPERATORS: Readonly<Record<string, string>> = {
  eq: '==',
  equal: '==',
  neq: '!=',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  'internal.member_2': 'in',
};

function isCompilerVariable({ type, value }: Term, { LocalMetadata }: TraceEvent): boolean {
  if (type !== 'var') return false;
  const name = String(value);
  return (LocalMetadata?.[name]?.name ?? name) === name;
}
