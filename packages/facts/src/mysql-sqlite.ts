/**
 * The fence round node-sql-parser, which reads MySQL and SQLite.
 *
 * It is not the servers' own parser. Servers and their settings differ about where a comment or a string ends, so it
 * could find one statement where the server runs two: texts of that kind are unreadable.
 */
import { z } from 'zod';
import { changesSomeRows } from './mysql-sqlite-condition.ts';
import { isHarmlessFunction } from './sql-functions.ts';
import {
  type Found,
  foundChange,
  foundUnknownFunction,
  functionName,
  nothingFound,
  type SqlStatement,
  statementOf,
  tableName,
} from './sql-statement.ts';
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
  const found = nothingFound(kind);
  // Wrapped, so that the statement itself is visited like every node in it.
  const whole = walk({ statement: tree }, (name, value) => visit(dialect, name, value, found));
  return whole ? statementOf(kind, found) : undefined;
}

function visit(dialect: Dialect, name: string, value: unknown, found: Found): void {
  if (name === 'type' && (typeof value !== 'string' || !READING.has(value))) found.reads = false;
  // `select … into`, and every clause that locks rows.
  if (name === 'into' && isTree(value) && Object.values(value).some((part) => part !== null)) {
    found.reads = false;
    found.kinds.add('into');
  }
  if ((name === 'locking_read' || name === 'for_update') && value !== null) found.reads = false;
  // Lists of pairs (`rename a to b`) are nested lists.
  for (const node of [value].flat(2)) if (isTree(node)) visitNode(dialect, node, found);
}

/** Statements that may stand inside another one, as in a trigger. */
const CHANGING = new Set(
  'alter call create delete drop insert load_data rename replace truncate update'.split(' '),
);

function visitNode(dialect: Dialect, node: Tree, found: Found): void {
  const { type, db, table, name } = node;
  if ('db' in node && typeof table === 'string')
    found.tables.add(tableName(typeof db === 'string' ? [db, table] : [table]));
  if (typeof type === 'string' && CHANGING.has(type)) visitChange(dialect, type, node, found);
  if (type !== 'function' && type !== 'aggr_func') return;
  const parts = functionParts(name);
  found.functions.add(functionName(parts));
  const [only = '', ...more] = parts;
  if (more.length > 0 || !isHarmlessFunction(dialect, only)) foundUnknownFunction(found);
}

function visitChange(dialect: Dialect, type: string, node: Tree, found: Found): void {
  found.kinds.add(type);
  if (type === 'update' || type === 'delete') foundChange(found, changesSomeRows(dialect, node));
  const { on_duplicate_update: upsert, or: otherwise } = node;
  if (upsert !== null && upsert !== undefined) {
    // An upsert updates one row for each that it would insert.
    found.kinds.add('update');
    foundChange(found, true);
  }
  // `insert or replace` deletes the row that is in its way, and so does `update or replace`.
  const words = z.array(z.object({ value: z.string() })).safeParse(otherwise ?? []);
  if (!words.success || words.data.some(({ value }) => value.toLowerCase() === 'replace'))
    found.kinds.add('replace');
}

const functionNameSchema = z.object({
  name: z.array(z.object({ value: z.string() })),
  schema: z.object({ value: z.string() }).optional(),
});

/** Returns the parts of a function's name, in lower case: both servers ignore its case. */
function functionParts(name: unknown): string[] {
  if (typeof name === 'string') return [name.toLowerCase()];
  const parsed = functionNameSchema.safeParse(name);
  if (!parsed.success) return ['?'];
  const { schema, name: parts } = parsed.data;
  return [...(schema === undefined ? [] : [schema]), ...parts].map(({ value }) => value.toLowerCase());
}
