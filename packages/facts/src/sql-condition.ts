/**
 * Whether a condition limits the rows that a statement changes, by its form alone: what stands in the tables is not known.
 *
 * C1. A condition counts when it names the rows that it wants: a column is one of some values, or lies beyond one. What
 *     only names rows that it does not want (`<>`, `not`, `is not null`) may leave all of them, so it does not count.
 * C2. Of `and` one part is enough. Of `or` each part must name values, and the same column's table: `a < 5 or a >= 5` is
 *     every row.
 * C3. The column belongs to the table that is changed, or equalities of columns lead to that table from one that is limited.
 * C4. Whatever is not recognised does not count.
 */

/** A condition, reduced to what decides whether it limits rows. */
export type Condition =
  | { is: 'all' | 'any'; of: readonly Condition[] }
  /** A column of a table has one of some values. */
  | { is: 'equal'; table: string }
  /** A column of a table lies beyond a value, matches a pattern, is null, or is true. */
  | { is: 'beyond'; table: string }
  /** A column of one table equals a column of another. */
  | { is: 'joined'; tables: readonly [string, string] }
  | { is: 'open' };

/** A value that a column is compared with. */
export type Value =
  | { is: 'number'; number: number }
  | { is: 'text'; text: string }
  | { is: 'boolean' }
  /** Known only when the statement runs: a parameter, a clock. */
  | { is: 'later' }
  | { is: 'null' };

/** A condition that may hold for every row. */
export const OPEN: Condition = { is: 'open' };
/** Larger than the keys that a table commonly has. */
const NUMBER_MAX = 2_147_483_647;
/** Instants that stand for never and for always. */
const FIRST_INSTANTS = /^\s*(?:-infinity|epoch|0{0,3}1-|1900-|1970-01-01)/i;
const LAST_INSTANTS = /^\s*(?:infinity|9{4})/i;
const NUMERIC = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i;

/** Returns true when a condition limits the rows of each table that is changed. */
export function limitsRows(condition: Condition, changed: readonly string[]): boolean {
  const parts = condition.is === 'all' ? condition.of : [condition];
  const tables = new Set(parts.flatMap(tablesOf));
  const limited = new Set([...tables].filter((table) => parts.some((part) => strengthOf(part, table) > 0)));
  const joins = parts.flatMap((part) => (part.is === 'joined' ? [part.tables] : []));
  // C3. Each turn adds a table or ends, so there are at most as many turns as joins.
  for (const _ of joins) {
    for (const [one, other] of joins) {
      if (limited.has(one)) limited.add(other);
      if (limited.has(other)) limited.add(one);
    }
  }
  return changed.length > 0 && changed.every((table) => limited.has(table));
}

/** Returns the condition that a column equals a value. */
export function equalTo(table: string | undefined, value: Value | undefined): Condition {
  if (table === undefined || value === undefined) return OPEN;
  // Two of these are every row: `a or not a`.
  return { is: value.is === 'boolean' ? 'beyond' : 'equal', table };
}

/** Returns the condition that a column is one of some values. */
export function oneOf(table: string | undefined, values: readonly (Value | undefined)[]): Condition {
  if (table === undefined || values.length === 0 || values.includes(undefined)) return OPEN;
  const booleans = values.filter((value) => value?.is === 'boolean').length;
  if (booleans > 1) return OPEN;
  return { is: booleans > 0 ? 'beyond' : 'equal', table };
}

/** Returns the condition that a column lies above or below a value, as far as some rows would not. */
export function beyond(
  table: string | undefined,
  operator: '>' | '>=' | '<' | '<=',
  value: Value | undefined,
): Condition {
  if (table === undefined || value === undefined || value.is === 'boolean' || value.is === 'null')
    return OPEN;
  const isLimit = operator.startsWith('>')
    ? isLowerLimit(value, operator === '>=' ? 1 : 0)
    : isUpperLimit(value);
  return isLimit ? { is: 'beyond', table } : OPEN;
}

/** Returns the condition that a column matches a pattern of LIKE, which must name a character. */
export function like(table: string | undefined, pattern: string | undefined): Condition {
  if (table === undefined || pattern === undefined || /^[%_]*$/.test(pattern)) return OPEN;
  return { is: 'beyond', table };
}

/** Counts and keys are positive, and no text is below the empty one. */
function isLowerLimit(value: Exclude<Value, { is: 'boolean' | 'null' }>, least: number): boolean {
  if (value.is === 'later') return true;
  if (value.is === 'number') return value.number > least;
  if (NUMERIC.test(value.text)) return Number(value.text) > least;
  return value.text.trim() !== '' && !FIRST_INSTANTS.test(value.text);
}

function isUpperLimit(value: Exclude<Value, { is: 'boolean' | 'null' }>): boolean {
  if (value.is === 'later') return true;
  if (value.is === 'number') return value.number < NUMBER_MAX;
  if (NUMERIC.test(value.text)) return Number(value.text) < NUMBER_MAX;
  return !LAST_INSTANTS.test(value.text);
}

function tablesOf(condition: Condition): string[] {
  switch (condition.is) {
    case 'all':
    case 'any':
      return condition.of.flatMap(tablesOf);
    case 'equal':
    case 'beyond':
      return [condition.table];
    case 'joined':
    case 'open':
      return [];
    default:
      return condition satisfies never;
  }
}

/** Returns 2 where a condition names values of a table's column, 1 where it limits its rows otherwise, or 0. */
function strengthOf(condition: Condition, table: string): 0 | 1 | 2 {
  switch (condition.is) {
    case 'equal':
      return condition.table === table ? 2 : 0;
    case 'beyond':
      return condition.table === table ? 1 : 0;
    case 'all': {
      const strengths = condition.of.map((part) => strengthOf(part, table));
      if (strengths.includes(2)) return 2;
      return strengths.includes(1) ? 1 : 0;
    }
    case 'any':
      // C2
      return condition.of.every((part) => strengthOf(part, table) === 2) ? 2 : 0;
    case 'joined':
    case 'open':
      return 0;
    default:
      return condition satisfies never;
  }
}
