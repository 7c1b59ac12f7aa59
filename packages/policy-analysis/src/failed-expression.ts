/** Reads from the trace of a failed test what was expected and what came. */
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

/** The line of a test that did not hold. */
export interface FailedExpression {
  file: string;
  line: number;
  expected: string;
  came: string;
}

/** Returns the expression at which a test ended, or undefined where its trace does not say. */
export function failedExpression(trace: readonly TraceEvent[]): FailedExpression | undefined {
  // The query that stands in a file and fails last is the test's own: rules it asks fail in queries of theirs.
  const test = trace.find(({ Op, Location }) => Op === 'Enter' && (Location?.file ?? '') !== '')?.QueryID;
  const event = trace.findLast(({ Op, QueryID }) => Op === 'Fail' && QueryID === test);
  if (event?.Location == null) return undefined;
  const parsed = expressionSchema.safeParse(event.Node);
  if (!parsed.success) return undefined;
  const { file, row: line } = event.Location;
  return { file, line, ...compared(parsed.data, event) };
}

type Expression = z.infer<typeof expressionSchema>;
type Compared = Pick<FailedExpression, 'expected' | 'came'>;

function compared({ negated, terms }: Expression, event: TraceEvent): Compared {
  const known = new Map((event.Locals ?? []).map(({ name, ...term }) => [name, term] as const));
  const text = (term: Term | undefined) => (term === undefined ? '' : termText(term, known));
  if (!Array.isArray(terms)) {
    const word = nameOf(terms);
    return negated
      ? { expected: `not ${word}`, came: text(terms) }
      : { expected: word, came: `${text(terms)} is undefined or false` };
  }
  const [operator, left, right, ...rest] = terms;
  const name = operator === undefined ? '' : nameOf(operator);
  if (!negated && (name === 'eq' || name === 'equal') && left !== undefined && right !== undefined) {
    // What the compiler named is what came; what the author wrote or named is what was expected.
    const leftCame = isMade(left, event) || !isMade(right, event);
    return leftCame
      ? { expected: text(right), came: text(left) }
      : { expected: text(left), came: text(right) };
  }
  const sign = SIGNS[name];
  const said =
    sign !== undefined && rest.length === 0
      ? `${text(left)} ${sign} ${text(right)}`
      : `${name}(${[left, right, ...rest].map(text).join(', ')})`;
  return negated
    ? { expected: `not ${said}`, came: 'it holds' }
    : { expected: said, came: 'it does not hold' };
}

const SIGNS: Readonly<Record<string, string>> = {
  eq: '==',
  equal: '==',
  neq: '!=',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  'internal.member_2': 'in',
};

function isMade({ type, value }: Term, { LocalMetadata }: TraceEvent): boolean {
  if (type !== 'var') return false;
  const name = String(value);
  return (LocalMetadata?.[name]?.name ?? name) === name;
}
