/**
 * The fence round node-sql-parser, which reads MySQL and SQLite.
 *
 * It is not the servers' own parser. Where servers and their settings differ about where a comment or a string ends,
 * it could see one statement where the server runs two: such texts are not read at all.
 */
import { z } from 'zod';
import { isHarmlessFunction } from './sql-functions.ts';
import { type Seen, type SqlStatement, statementOf } from './sql-statement.ts';
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

/** Nodes that take part in reading, by the word the parser puts in `type`. */
const READING = new Set(
  `ASC DESC aggr_func backticks_quote_string bigint binary_expr bool boolean case cast column_ref date datetime default
  desc double_quote_string dual else escape expr_list function interval null number origin param select show
  single_quote_string star string time timestamp unary_expr var when window window_func`.split(/\s+/),
);

/** Loads the parser of a dialect, if it is not there yet. */
export async function loadMysqlOrSqlite(dialect: Dialect): Promise<void> {
  if (parsers[dialect] !== undefined) return;
  // Each is an old-style module of its own: its parts are known only at run time.
  const loaded: { default?: unknown } =
    dialect === 'mysql'
      ? await import('node-sql-parser/build/mysql.js')
      : await import('node-sql-parser/build/sqlite.js');
  const { Parser } = z.object({ Parser: parserSchema }).parse(loaded.default ?? loaded);
  parsers[dialect] = new Parser();
}

/** Returns the statements of a text, or undefined where it is not understood without a doubt. */
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
  const seen: Seen = { tables: new Set(), functions: new Set(), reads: true };
  // A holder, so that the statement itself is looked at like every node in it.
  if (!walk({ statement: tree }, (name, value) => look(dialect, name, value, seen))) return undefined;
  const changes = kind === 'update' || kind === 'delete';
  return statementOf(kind, seen, changes ? limitsRows(tree['where'], 0) : undefined);
}

function look(dialect: Dialect, name: string, value: unknown, seen: Seen): void {
  if (name === 'type' && (typeof value !== 'string' || !READING.has(value))) seen.reads = false;
  // `select … into`, and every way to lock what is read.
  if (name === 'into' && isTree(value) && Object.values(value).some((part) => part !== null))
    seen.reads = false;
  if ((name === 'locking_read' || name === 'for_update') && value !== null) seen.reads = false;
  // Lists of pairs (`rename a to b`) are lists in lists.
  for (const node of [value].flat(2)) if (isTree(node)) lookAtNode(dialect, node, seen);
}

function lookAtNode(dialect: Dialect, node: Tree, seen: Seen): void {
  const { type, db, table } = node;
  if ('db' in node && typeof table === 'string')
    seen.tables.add(typeof db === 'string' ? `${db}.${table}` : table);
  if (type !== 'function' && type !== 'aggr_func') return;
  const name = functionName(node['name']);
  seen.functions.add(name);
  if (!isHarmlessFunction(dialect, name)) seen.reads = false;
}

const functionNameSchema = z.object({
  name: z.array(z.object({ value: z.string() })),
  schema: z.object({ value: z.string() }).optional(),
});

/** Both servers compare names of functions without case. */
function functionName(name: unknown): string {
  if (typeof name === 'string') return name.toLowerCase();
  const parsed = functionNameSchema.safeParse(name);
  if (!parsed.success) return '?';
  const { schema, name: parts } = parsed.data;
  const values = parts.map(({ value }) => value);
  return [...(schema === undefined ? [] : [schema.value]), ...values].join('.').toLowerCase();
}

/** Conditions nest; deeper than this nobody can say what one lets through. */
const DEPTH_MAX = 32;

/** True when a condition depends on the row, as far as its form tells: `true`, `1 = 1` and `a = a` do not. */
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
