/**
 * The fence round PostgreSQL's own parser, compiled to WebAssembly.
 *
 * A statement counts as read-only only when every node of its tree is on the list of nodes that only read, and every
 * function on the list of functions that change nothing: whatever is not listed may write.
 */
import { loadModule, parseSync, SqlError } from 'libpg-query';
import { z } from 'zod';
import { isHarmlessFunction } from './sql-functions.ts';
import { type Found, type SqlStatement, statementOf } from './sql-statement.ts';
import { isTree, type Tree, walk } from './tree.ts';

const parsedSchema = z.object({ stmts: z.array(z.object({ stmt: z.record(z.string(), z.unknown()) })) });
const stringSchema = z.object({ String: z.object({ sval: z.string() }) });
const listSchema = z.object({ List: z.object({ items: z.array(stringSchema) }) });

/** Nodes that only read. Any other node means that the statement may do more. */
const READING = new Set(
  `A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star Alias BoolExpr BooleanTest CaseExpr CaseWhen CoalesceExpr
  CollateClause ColumnRef CommonTableExpr CTECycleClause CTESearchClause Float FuncCall GroupingFunc GroupingSet Integer
  BitString Boolean JoinExpr JsonArrayConstructor JsonArrayQueryConstructor JsonFuncExpr JsonIsPredicate JsonKeyValue
  JsonObjectConstructor JsonTable JsonTableColumn List MinMaxExpr MultiAssignRef NamedArgExpr NullTest ParamRef
  RangeFunction RangeSubselect RangeTableFunc RangeTableFuncCol RangeTableSample RangeVar ResTarget RowExpr SelectStmt
  SetToDefault SortBy SQLValueFunction String SubLink TypeCast TypeName VariableShowStmt WindowDef XmlExpr`.split(
    /\s+/,
  ),
);
/** Clauses of a reading node that write or lock. */
const WRITING_CLAUSES = new Set(['intoClause', 'lockingClause']);
/** Sampling methods of PostgreSQL itself: any other is a function that somebody defined. */
const SAMPLING = new Set(['bernoulli', 'system']);

/** Statements whose node is not named after their verb. */
const VERBS: Record<string, string> = {
  AlterDefaultPrivilegesStmt: 'alter',
  CompositeTypeStmt: 'create',
  ConstraintsSetStmt: 'set',
  CreatedbStmt: 'create',
  DefineStmt: 'create',
  DropdbStmt: 'drop',
  IndexStmt: 'create',
  RefreshMatViewStmt: 'refresh',
  RuleStmt: 'create',
  SecLabelStmt: 'security',
  ViewStmt: 'create',
};

/** Loads the parser. `readPostgresql` needs it. */
export async function loadPostgresql(): Promise<void> {
  await loadModule();
}

/**
 * Returns the statements of a text, or undefined when PostgreSQL rejects it or its tree lacks what is needed.
 * Throws when the parser itself failed: its memory may then be in any state, and it must be loaded again.
 */
export function readPostgresql(text: string): SqlStatement[] | undefined {
  // The parser reads C strings: it would ignore everything after a NUL.
  if (text === '' || text.includes('\0')) return undefined;
  const parsed = parsedSchema.safeParse(parseTree(text));
  if (!parsed.success) return undefined;
  const statements = parsed.data.stmts.map(({ stmt }) => readStatement(stmt));
  return statements.every((one) => one !== undefined) ? statements : undefined;
}

function parseTree(text: string): unknown {
  try {
    return parseSync(text);
  } catch (error) {
    if (error instanceof SqlError) return undefined;
    throw error;
  }
}

function readStatement(stmt: Tree): SqlStatement | undefined {
  const [entry, ...more] = Object.entries(stmt);
  if (entry === undefined || more.length > 0 || !isTree(entry[1])) return undefined;
  const [node, body] = entry;
  const found: Found = { tables: new Set(), functions: new Set(), reads: true };
  const whole = walk(stmt, (key, value) => visit(key, value, found));
  if (!whole) return undefined;
  const kind = kindOf(node, body);
  const changes = node === 'UpdateStmt' || node === 'DeleteStmt';
  return statementOf(kind, found, changes ? limitsRows(body['whereClause'], 0) : undefined);
}

function visit(key: string, value: unknown, found: Found): void {
  if (/^[A-Z]/.test(key) && !READING.has(key)) found.reads = false;
  if (WRITING_CLAUSES.has(key)) found.reads = false;
  if (key === 'funcname' || key === 'method') lookAtFunction(key, value, found);
  if (key === 'DropStmt' && isTree(value)) lookAtDropped(value['objects'], found);
  if (isTree(value) && typeof value['relname'] === 'string') {
    const { catalogname, schemaname, relname } = value;
    found.tables.add([catalogname, schemaname, relname].filter((part) => part !== undefined).join('.'));
  }
}

function lookAtFunction(key: string, value: unknown, found: Found): void {
  const names = z.array(stringSchema).safeParse(value);
  const parts = names.success ? names.data.map(({ String: { sval } }) => sval) : ['?'];
  found.functions.add(parts.join('.').toLowerCase());
  const [first = '', second] = parts;
  const name =
    second === undefined ? first : first === 'pg_catalog' && parts.length === 2 ? second : undefined;
  // Names are compared as they were parsed: a quoted name with a capital letter is another function.
  const harmless =
    name !== undefined && (key === 'method' ? SAMPLING.has(name) : isHarmlessFunction('postgresql', name));
  if (!harmless) found.reads = false;
}

function lookAtDropped(objects: unknown, found: Found): void {
  const lists = z.array(listSchema).safeParse(objects);
  if (!lists.success) return;
  for (const { List } of lists.data)
    found.tables.add(List.items.map(({ String: { sval } }) => sval).join('.'));
}

function kindOf(node: string, body: Tree): string {
  if (node === 'GrantStmt' || node === 'GrantRoleStmt') return body['is_grant'] === true ? 'grant' : 'revoke';
  if (node === 'VariableSetStmt')
    return body['kind'] === 'VAR_RESET' || body['kind'] === 'VAR_RESET_ALL' ? 'reset' : 'set';
  if (node === 'VariableShowStmt') return 'show';
  if (node === 'TransactionStmt') return String(body['kind']).replace('TRANS_STMT_', '').toLowerCase();
  return VERBS[node] ?? node.replace(/^([A-Z][a-z]*).*$/, '$1').toLowerCase();
}

/** A condition that is nested deeper counts as one that limits nothing. */
const DEPTH_MAX = 32;

/** True when a condition depends on the row, as far as its form shows: `true`, `1 = 1` and `a = a` do not. */
function limitsRows(condition: unknown, depth: number): boolean {
  if (!isTree(condition) || depth > DEPTH_MAX) return false;
  const { BoolExpr: logic, A_Expr: comparison } = condition;
  if (isTree(logic) && Array.isArray(logic['args'])) {
    const limits = (one: unknown) => limitsRows(one, depth + 1);
    return logic['boolop'] === 'AND_EXPR' ? logic['args'].some(limits) : logic['args'].every(limits);
  }
  if (isTree(comparison) && shapeOf(comparison['lexpr']) === shapeOf(comparison['rexpr'])) return false;
  let column = false;
  walk(condition, (key) => {
    if (key === 'ColumnRef') column = true;
  });
  return column;
}

function shapeOf(tree: unknown): string {
  try {
    return JSON.stringify(tree, (key, value: unknown) => (key === 'location' ? undefined : value)) ?? '';
  } catch {
    // Too deep to compare: two such sides count as the same.
    return '';
  }
}
