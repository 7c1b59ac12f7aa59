/**
 * The fence round node-sql-parser, which reads MySQL and SQLite.
 *
 * It is not the servers' own parser. Servers and their settings differ about where a comment or a string ends, so it
 * could find one statement where the server runs two: texts of that kind are unreadable.
 */
import { z } from 'zod';
import { isHarmlessFunction } from './sql-functions.ts';
import { type Found, type SqlStatement, statementOf } from './sql-statement.ts';
import { isTree, type Tree, walk } from './tree.ts';

type Dialect = 'mysql' | 'sqlite';

interface Parser {
  astify(text: string, options: { database: string }): unknown;
}
const parserSchema = z.custom<new () => Parser>((value) => typeof value === 'function');
const parsers: Partial<Record<Dialect, Parser>> = {};

/** Comments (also those MySQL runs), and backslashes, which end a string in one server and not in another. */
const AMBIGUOUS = /\/\*|--|#|\\/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/** Nodes that only read, by the parser's `type`. */
const READING = new Set(
  `ASC DESC aggr_func backticks_quote_string bigint binary_expr bool boolean case cast column_ref date datetime default
  desc double_quote_string dual else escape expr_list function interval null number origin param select show
  single_quote_string star string time timestamp unary_expr var when window window_func`.split(/\s+/),
);

/** Loads the parser of a dialect, unless it is loaded. */
export async function loadMysqlOrSqlite(dialect: Dialect): Promise<void> {
  if (parsers[dialect] !== undefined) return;
  // Each is a CommonJS module of its own, whose exports are known only at run time.
  const loaded: { default?: unknown } =
    dialect === 'mysql'
      ? await import('node-sql-parser/build/mysql.js')
      : await import('node-sql-parser/build/sqlite.js');
  const { Parser } = z.object({ Parser: parserSchema }).parse(loaded.default ?? loaded);
  parsers[dialect] = new Parser();
}

/** Returns the statements of a text, or undefined when it is not understood with certainty. */
export function readMysqlOrSqlite(dialect: Dialect, text: string): SqlStatement[] | undefined {
  if (AMBIGUOUS.test(text) || CONTROL.test(text.replaceAll('\r', '\n'))) return undefined;
  const parsed = parseTree(dialect, text);
  const trees = Array.isArray(parsed) ? parsed : [parsed];
  const statements = trees.map((tree: unknown) => readStatement(dialect, tree));
  return statements.every((one) => one !== undefined) ? statements : undefined;
}

function parseTree(dialect: Dialect, text: string): unknown {
  try {
    return parsers[dialect]?.astify(text, { database: dialect });
  } catch {
    return undefined;
  }
}

function readStatement(dialect: Dialect, tree: unknown): SqlStatement | undefined {
  if (!isTree(tree) || typeof tree['type'] !== 'string') return undefined;
  const kind = tree['type'].toLowerCase();
  const found: Found = { tables: new Set(), functions: new Set(), reads: true };
  // Wrapped, so that the statement itself is visited like every node in it.
  if (!walk({ statement: tree }, (name, value) => visit(dialect, name, value, found))) return undefined;
  const changes = kind === 'update' || kind === 'delete';
  return statementOf(kind, found, changes ? limitsRows(tree['where'], 0) : undefined);
}

function visit(dialect: Dialect, name: string, value: unknown, found: Found): void {
  if (name === 'type' && (typeof value !== 'string' || !READING.has(value))) found.reads = false;
  // `select … into`, and every clause that locks rows.
  if (name === 'into' && isTree(value) && Object.values(value).some((part) => part !== null))
    found.reads = false;
  if ((name === 'locking_read' || name === 'for_update') && value !== null) found.reads = false;
  // Lists of pairs (`rename a to b`) are nested lists.
  for (const node of [value].flat(2)) if (isTree(node)) visitNode(dialect, node, found);
}

function visitNode(dialect: Dialect, node: Tree, found: Found): void {
  const { type, db, table } = node;
  if ('db' in node && typeof table === 'string')
    found.tables.add(typeof db === 'string' ? `${db}.${table}` : table);
  if (type !== 'function' && type !== 'aggr_func') return;
  const name = functionName(node['name']);
  found.functions.add(name);
  if (!isHarmlessFunction(dialect, name)) found.reads = false;
}

const functionNameSchema = z.object({
  name: z.array(z.object({ value: z.string() })),
  schema: z.object({ value: z.string() }).optional(),
});

/** Both servers ignore the case of function names. */
function functionName(name: unknown): string {
  if (typeof name === 'string') return name.toLowerCase();
  const parsed = functionNameSchema.safeParse(name);
  if (!parsed.success) return '?';
  const { schema, name: parts } = parsed.data;
  const values = parts.map(({ value }) => value);
  return [...(schema === undefined ? [] : [schema.value]), ...values].join('.').toLowerCase();
}

/** A condition that is nested deeper counts as one that limits nothing. */
const DEPTH_MAX = 32;

/** True when a condition depends on the row, as far as its form shows: `true`, `1 = 1` and `a = a` do not. */
function limitsRows(condition: unknown, depth: number): boolean {
  if (!isTree(condition) || depth > DEPTH_MAX) return false;
  const { type, operator, left, right } = condition;
  if (type === 'binary_expr') {
    const [one, other] = [limitsRows(left, depth + 1), limitsRows(right, depth + 1)];
    if (operator === 'AND' || operator === '&&') return one || other;
    if (operator === 'OR' || operator === '||' || operator === 'XOR') return one && other;
    if (JSON.stringify(left) === JSON.stringify(right)) return false;
  }
  let column = false;
  walk({ condition }, (name, value) => {
    if (name === 'type' && value === 'column_ref') column = true;
  });
  return column;
}
