/**
 * The fence round PostgreSQL's own parser, compiled to WebAssembly.
 *
 * A statement counts as read-only only when every node of its tree is on the list of nodes that only read, and every
 * function on the list of functions that change nothing: whatever is not listed may write. Every statement inside it
 * counts as it would alone, wherever it stands.
 */
import { loadModule, parseSync, SqlError } from 'libpg-query';
import { z } from 'zod';
import { changesSomeRows, ownName } from './postgresql-condition.ts';
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
/** Nodes that make a value of a type. */
const CASTS = new Set(['TypeCast', 'RangeTableFuncCol', 'JsonTableColumn']);
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
  const kind = kindOf(node, body);
  const queries = new Set<string>();
  const found = nothingFound(kind);
  const named = walk(stmt, (key, value) => {
    if (key === 'ctename' && typeof value === 'string') queries.add(value);
  });
  const whole = named && walk(stmt, (key, value) => visit(key, value, found, queries));
  return whole ? statementOf(kind, found) : undefined;
}

function visit(key: string, value: unknown, found: Found, queries: ReadonlySet<string>): void {
  if (/^[A-Z]/.test(key) && !READING.has(key)) found.reads = false;
  if (WRITING_CLAUSES.has(key)) found.reads = false;
  if (/^[A-Z].*Stmt$/.test(key) && !READING.has(key) && isTree(value))
    lookAtStatement(key, value, found, queries);
  // `select … into` creates its table.
  if (key === 'intoClause' && isTree(value)) found.kinds.add('create');
  if (key === 'onConflictClause' && isTree(value)) lookAtConflict(value, found);
  if (key === 'MergeWhenClause' && isTree(value)) lookAtMerge(value, found);
  if (key === 'funcname' || key === 'method') lookAtFunction(key, value, found);
  if (key === 'A_Expr' && isTree(value)) lookAtOperator(value['name'], found);
  if (CASTS.has(key) && isTree(value) && isTree(value['typeName'])) lookAtType(value['typeName'], found);
  if (key === 'DropStmt' && isTree(value)) lookAtDropped(value['objects'], found);
  if (isTree(value) && typeof value['relname'] === 'string') {
    const { catalogname, schemaname, relname } = value;
    found.tables.add(
      tableName([catalogname, schemaname, relname].filter((part) => typeof part === 'string')),
    );
  }
}

function lookAtStatement(node: string, body: Tree, found: Found, queries: ReadonlySet<string>): void {
  found.kinds.add(kindOf(node, body));
  const judged =
    node === 'UpdateStmt' || node === 'DeleteStmt' || (node === 'MergeStmt' && changesMatches(body));
  if (judged) foundChange(found, changesSomeRows(node, body, queries));
}

/** True for a merge that updates or deletes rows of its table. */
function changesMatches({ mergeWhenClauses: clauses }: Tree): boolean {
  const commands = z
    .array(z.object({ MergeWhenClause: z.object({ commandType: z.string() }) }))
    .safeParse(clauses);
  if (!commands.success) return true;
  return commands.data.some(({ MergeWhenClause: { commandType } }) => /UPDATE|DELETE/.test(commandType));
}

/** An upsert updates one row for each that it would insert. */
function lookAtConflict({ action }: Tree, found: Found): void {
  if (action === 'ONCONFLICT_NOTHING') return;
  found.kinds.add('update');
  foundChange(found, true);
}

function lookAtMerge({ commandType }: Tree, found: Found): void {
  const verb = String(commandType).replace('CMD_', '').toLowerCase();
  if (verb !== 'nothing') found.kinds.add(verb);
}

function lookAtFunction(key: string, value: unknown, found: Found): void {
  const names = z.array(stringSchema).safeParse(value);
  const parts = names.success ? names.data.map(({ String: { sval } }) => sval) : ['?'];
  found.functions.add(functionName(parts));
  const name = ownName(parts);
  // Names are compared as they were parsed: a quoted name with a capital letter is another function.
  const harmless =
    name !== undefined && (key === 'method' ? SAMPLING.has(name) : isHarmlessFunction('postgresql', name));
  if (!harmless) foundUnknownFunction(found);
}

/** An operator in a schema is a function that somebody defined. */
function lookAtOperator(name: unknown, found: Found): void {
  const names = z.array(stringSchema).safeParse(name);
  const parts = names.success ? names.data.map(({ String: { sval } }) => sval) : [];
  if (ownName(parts) === undefined) {
    found.functions.add(functionName(parts));
    foundUnknownFunction(found);
  }
}

/** A type in another schema brings functions of its own, which run when a value is cast to it. */
function lookAtType({ names }: Tree, found: Found): void {
  const parsed = z.array(stringSchema).safeParse(names);
  if (!parsed.success || ownName(parsed.data.map(({ String: { sval } }) => sval)) === undefined)
    foundUnknownFunction(found);
}

function lookAtDropped(objects: unknown, found: Found): void {
  const lists = z.array(listSchema).safeParse(objects);
  if (!lists.success) return;
  for (const { List } of lists.data)
    found.tables.add(tableName(List.items.map(({ String: { sval } }) => sval)));
}

function kindOf(node: string, body: Tree): string {
  if (node === 'GrantStmt' || node === 'GrantRoleStmt') return body['is_grant'] === true ? 'grant' : 'revoke';
  if (node === 'VariableSetStmt')
    return body['kind'] === 'VAR_RESET' || body['kind'] === 'VAR_RESET_ALL' ? 'reset' : 'set';
  if (node === 'VariableShowStmt') return 'show';
  if (node === 'TransactionStmt') return String(body['kind']).replace('TRANS_STMT_', '').toLowerCase();
  return VERBS[node] ?? node.replace(/^([A-Z][a-z]*).*$/, '$1').toLowerCase();
}
