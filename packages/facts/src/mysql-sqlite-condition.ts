/**
 * Reads which rows a statement of MySQL or SQLite changes, from the tree of node-sql-parser.
 *
 * The parser groups `a or b and c` as `(a or b) and c`, and no server does: without brackets such a condition does not
 * count. In a double-quoted text it is not certain what it is: SQLite takes it for a text where no column has this name.
 */
import type { SqlDialect } from '@interlock/contracts';
import { z } from 'zod';
import {
  beyond,
  type Condition,
  equalTo,
  like,
  limitsRows,
  OPEN,
  oneOf,
  type Value,
} from './sql-condition.ts';
import { isTree, type Tree } from './tree.ts';

type Dialect = Exclude<SqlDialect, 'postgresql'>;

/** A condition that is nested deeper is not recognised. */
const DEPTH_MAX = 32;
/** Functions that return the clock, or an instant some time before or after it. */
const CLOCKS = new Set(
  `now sysdate curdate current_date current_timestamp utc_date utc_timestamp date_add date_sub adddate subdate date
  datetime`.split(/\s+/),
);

const tableSchema = z.object({ table: z.string(), as: z.string().nullable() });
const columnSchema = z.object({
  type: z.literal('column_ref'),
  table: z.string().nullable(),
  column: z.string(),
});
const setSchema = z.array(z.object({ table: z.string().nullable() }));

interface Scope {
  dialect: Dialect;
  tables: ReadonlySet<string>;
  /** The table of columns without a table, where there is one table alone. */
  only: string | undefined;
}

/** Returns true when an update or a delete changes only some rows of each table that it changes. */
export function changesSomeRows(dialect: Dialect, statement: Tree): boolean {
  const from = statement['type'] === 'delete' ? statement['from'] : statement['table'];
  const sources = Array.isArray(from) ? from.map(nameOf) : [];
  const tables = new Set(sources.filter((name) => name !== undefined));
  const [only] = tables;
  const scope = { dialect, tables, only: sources.length === 1 ? only : undefined };
  // A part of `where` and the conditions of joins hold together.
  const joins = Array.isArray(from) ? from.flatMap((one: unknown) => innerJoin(one)) : [];
  const conditions = [statement['where'], ...joins].map((one) => conditionOf(one, scope, 0));
  const parts = conditions.flatMap((one) => (one.is === 'all' ? one.of : [one]));
  const changed = changedBy(statement, scope);
  return changed !== undefined && limitsRows({ is: 'all', of: parts }, changed);
}

function innerJoin(source: unknown): unknown[] {
  return isTree(source) && source['join'] === 'INNER JOIN' && source['on'] !== undefined
    ? [source['on']]
    : [];
}

/** Names of tables are compared as if upper and lower case were the same: that finds at most more limits. */
function nameOf(source: unknown): string | undefined {
  const parsed = tableSchema.safeParse(source);
  return parsed.success ? (parsed.data.as ?? parsed.data.table).toLowerCase() : undefined;
}

function changedBy(statement: Tree, { only, tables }: Scope): string[] | undefined {
  const named =
    statement['type'] === 'delete'
      ? z
          .array(tableSchema)
          .safeParse(statement['table'])
          .data?.map(({ as, table }) => as ?? table)
      : setSchema.safeParse(statement['set']).data?.map(({ table }) => table ?? only);
  const changed = (named ?? []).map((name) => name?.toLowerCase());
  const all = changed.filter((name) => name !== undefined && tables.has(name));
  return all.length === changed.length ? changed.filter((name) => name !== undefined) : undefined;
}

function conditionOf(tree: unknown, scope: Scope, depth: number): Condition {
  if (!isTree(tree) || depth > DEPTH_MAX || tree['type'] !== 'binary_expr') return OPEN;
  const { left, right } = tree;
  const operator = String(tree['operator']).toUpperCase();
  switch (operator) {
    case 'AND':
    case '&&':
    case 'OR':
      return logicOf(tree, operator === 'OR' ? 'any' : 'all', scope, depth);
    case '=':
    case '==':
      return equalityOf(left, right, scope);
    case 'IS':
      return isTree(right) && right['type'] === 'null' ? someRows(certain(left, scope)?.table) : OPEN;
    case 'IN':
      return membershipOf(left, itemsOf(right), scope);
    case 'BETWEEN': {
      const column = certain(left, scope);
      const [low, high] = itemsOf(right).map((one) => valueFor(column, one, scope));
      if (low === undefined || high === undefined) return OPEN;
      const above = beyond(column?.table, '>=', low);
      return above.is === 'open' ? beyond(column?.table, '<=', high) : above;
    }
    case 'LIKE': {
      const column = certain(left, scope);
      const pattern = valueFor(column, right, scope);
      const escaped = isTree(right) && right['escape'] !== undefined;
      return like(column?.table, pattern?.is === 'text' && !escaped ? pattern.text : undefined);
    }
    case '>':
    case '>=':
    case '<':
    case '<=':
      return rangeOf(operator, left, right, scope);
    default:
      return OPEN;
  }
}

/** Returns all parts of a chain of `and` or `or`. The parser nests them to the left, as deep as the chain is long. */
function logicOf(tree: Tree, is: 'all' | 'any', scope: Scope, depth: number): Condition {
  const of: Condition[] = [];
  const ahead: unknown[] = [tree['left'], tree['right']];
  while (ahead.length > 0) {
    const part = ahead.pop();
    const logic = logicIn(part);
    if (isTree(part) && logic === is) ahead.push(part['left'], part['right']);
    else if (isTree(part) && logic !== undefined && part['parentheses'] !== true) return OPEN;
    else of.push(conditionOf(part, scope, depth + 1));
  }
  return { is, of };
}

function logicIn(tree: unknown): 'all' | 'any' | undefined {
  if (!isTree(tree) || tree['type'] !== 'binary_expr') return undefined;
  const operator = String(tree['operator']).toUpperCase();
  if (operator === 'AND' || operator === '&&') return 'all';
  // `||` joins texts in some servers, and `xor` is no `or`: such a condition is not recognised.
  return operator === 'OR' ? 'any' : undefined;
}

function someRows(table: string | undefined): Condition {
  return table === undefined ? OPEN : { is: 'beyond', table };
}

function equalityOf(left: unknown, right: unknown, scope: Scope): Condition {
  const [one, other] = [columnOf(left, scope), columnOf(right, scope)];
  if (one !== undefined && other !== undefined)
    return one.table === other.table || one.isDoubtful || other.isDoubtful
      ? OPEN
      : { is: 'joined', tables: [one.table, other.table] };
  const [column, value] = one === undefined ? [other, left] : [one, right];
  return equalTo(column?.table, equalValue(column, value, scope));
}

function membershipOf(left: unknown, items: readonly unknown[], scope: Scope): Condition {
  const column = columnOf(left, scope);
  return oneOf(
    column?.table,
    items.map((one) => equalValue(column, one, scope)),
  );
}

/** Returns the value of an equality that holds for some rows only. */
function equalValue(column: Column | undefined, tree: unknown, scope: Scope): Value | undefined {
  const value = valueFor(column, tree, scope);
  // A text that is taken for a column equals itself, and no number.
  if (column?.isDoubtful) return value?.is === 'number' ? value : undefined;
  // In MySQL every text that does not begin with a number equals 0, which is false.
  const isZero = value?.is === 'boolean' || (value?.is === 'number' && value.number === 0);
  return scope.dialect === 'mysql' && isZero ? undefined : value;
}

const MIRRORED = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

function rangeOf(operator: keyof typeof MIRRORED, left: unknown, right: unknown, scope: Scope): Condition {
  const one = certain(left, scope);
  const [column, name, value] =
    one === undefined ? [certain(right, scope), MIRRORED[operator], left] : [one, operator, right];
  return beyond(column?.table, name, valueFor(column, value, scope));
}

interface Column {
  table: string;
  name: string;
  /** True where it may be a text. */
  isDoubtful: boolean;
}

function certain(tree: unknown, scope: Scope): Column | undefined {
  const column = columnOf(tree, scope);
  return column?.isDoubtful ? undefined : column;
}

function columnOf(tree: unknown, { tables, only, dialect }: Scope): Column | undefined {
  if (isTree(tree) && tree['type'] === 'double_quote_string' && dialect === 'sqlite')
    return only === undefined ? undefined : { table: only, name: String(tree['value']), isDoubtful: true };
  const parsed = columnSchema.safeParse(tree);
  if (!parsed.success || parsed.data.column === '*') return undefined;
  const table = parsed.data.table?.toLowerCase() ?? only;
  if (table === undefined || !tables.has(table)) return undefined;
  return { table, name: parsed.data.column, isDoubtful: false };
}

/** Returns the value that a column is compared with. A text in double quotes may be a column, and then the same one. */
function valueFor(column: Column | undefined, tree: unknown, scope: Scope): Value | undefined {
  const isQuoted = isTree(tree) && tree['type'] === 'double_quote_string';
  if (isQuoted && String(tree['value']).toLowerCase() === column?.name.toLowerCase()) return undefined;
  return fixedValue(tree, scope);
}

/** Returns a value that no row changes, or undefined. */
function fixedValue(tree: unknown, { dialect }: Scope): Value | undefined {
  if (!isTree(tree)) return undefined;
  const { type, value } = tree;
  switch (type) {
    case 'number':
    case 'bigint':
      return { is: 'number', number: Number(value) };
    case 'single_quote_string':
      return typeof value === 'string' ? { is: 'text', text: value } : undefined;
    case 'double_quote_string':
      return typeof value === 'string' && dialect === 'mysql' ? { is: 'text', text: value } : undefined;
    case 'bool':
    case 'boolean':
      return { is: 'boolean' };
    case 'null':
      return { is: 'null' };
    case 'param':
      return { is: 'later' };
    case 'origin':
      return value === '?' ? { is: 'later' } : undefined;
    default:
      return isClock(tree) ? { is: 'later' } : undefined;
  }
}

const functionSchema = z.object({
  type: z.literal('function'),
  name: z.object({ name: z.tuple([z.object({ value: z.string() })]), schema: z.undefined().optional() }),
  args: z.object({ value: z.array(z.unknown()).nullable() }).optional(),
});
const FIXED = new Set(['single_quote_string', 'number', 'interval']);

/** The clock, its day, and some time before or after it. */
function isClock(tree: Tree): boolean {
  if (tree['type'] === 'binary_expr' && ['+', '-'].includes(String(tree['operator'])))
    return isTree(tree['left']) && isClock(tree['left']) && isFixed(tree['right']);
  const parsed = functionSchema.safeParse(tree);
  if (!parsed.success || !CLOCKS.has(parsed.data.name.name[0].value.toLowerCase())) return false;
  return (parsed.data.args?.value ?? []).every((one) => isFixed(one) || (isTree(one) && isClock(one)));
}

function isFixed(tree: unknown): boolean {
  return isTree(tree) && FIXED.has(String(tree['type']));
}

function itemsOf(tree: unknown): unknown[] {
  return isTree(tree) && tree['type'] === 'expr_list' && Array.isArray(tree['value']) ? tree['value'] : [];
}
