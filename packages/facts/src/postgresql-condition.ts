/** Reads which rows a statement of PostgreSQL changes, from its tree. */
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

const stringsSchema = z.array(z.object({ String: z.object({ sval: z.string() }) }));
const constantSchema = z.union([
  z.object({ isnull: z.literal(true) }).transform((): Value => ({ is: 'null' })),
  // The parser leaves out what is 0, false or empty.
  z
    .object({ ival: z.object({ ival: z.number().default(0) }) })
    .transform(({ ival }): Value => ({ is: 'number', number: ival.ival })),
  z
    .object({ fval: z.object({ fval: z.string() }) })
    .transform(({ fval }): Value => ({ is: 'number', number: Number(fval.fval) })),
  z.object({ boolval: z.object({}) }).transform((): Value => ({ is: 'boolean' })),
  z
    .object({ sval: z.object({ sval: z.string().default('') }) })
    .transform(({ sval }): Value => ({ is: 'text', text: sval.sval })),
]);

/** A condition that is nested deeper is not recognised. */
const DEPTH_MAX = 32;
/** Types to which a value is cast without becoming another one. */
const FAITHFUL_TYPES = new Set([
  'text',
  'varchar',
  'bpchar',
  'int2',
  'int4',
  'int8',
  'numeric',
  'float8',
  'date',
  'timestamp',
  'timestamptz',
  'uuid',
]);
/** Functions of one column that tell its values apart well enough. */
const FAITHFUL_FUNCTIONS = new Set(['lower', 'upper', 'btrim', 'date']);
const CLOCKS = new Set(['now', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp']);
const EXTRACTIONS = new Set(['->', '->>', '#>>']);

/**
 * Returns true when an update, a delete or a merge changes only some rows.
 *
 * @param queries names of `with` queries: their columns may be constants, so a condition on one says nothing
 */
export function changesSomeRows(node: string, body: Tree, queries: ReadonlySet<string>): boolean {
  const target = tableIn(body['relation'], queries);
  if (target === undefined) return false;
  const source = node === 'UpdateStmt' ? body['fromClause'] : body['usingClause'];
  const others = node === 'MergeStmt' ? [body['sourceRelation']] : Array.isArray(source) ? source : [];
  const tables = new Set([target.name, ...others.flatMap((one) => tablesIn(one, queries, 0))]);
  const only = others.length === 0 ? target.name : undefined;
  const scope: Scope = { tables, only, changed: target.table, queries };
  const condition = node === 'MergeStmt' ? body['joinCondition'] : body['whereClause'];
  return limitsRows(conditionOf(condition, scope, 0), [target.name]);
}

interface Scope {
  /** The names by which columns refer to tables. */
  tables: ReadonlySet<string>;
  /** The name for columns that stand without one, where there is one table alone. */
  only: string | undefined;
  /** The table that is changed, with its schema. */
  changed: string;
  queries: ReadonlySet<string>;
}

const relationSchema = z.object({
  relname: z.string(),
  schemaname: z.string().optional(),
  alias: z.object({ aliasname: z.string() }).optional(),
});

/** Returns a table, and the name by which columns refer to it; undefined for a `with` query. */
function tableIn(
  relation: unknown,
  queries: ReadonlySet<string>,
): { name: string; table: string } | undefined {
  const parsed = relationSchema.safeParse(relation);
  if (!parsed.success) return undefined;
  const { relname, schemaname = '', alias } = parsed.data;
  if (schemaname === '' && queries.has(relname)) return undefined;
  return { name: alias?.aliasname ?? relname, table: `${schemaname}.${relname}` };
}

/** Returns the names of the tables in one item of `from`, those that are joined in it among them. */
function tablesIn(item: unknown, queries: ReadonlySet<string>, depth: number): string[] {
  if (!isTree(item) || depth > DEPTH_MAX) return [];
  const table = tableIn(item['RangeVar'], queries);
  if (table !== undefined) return [table.name];
  const join = item['JoinExpr'];
  if (!isTree(join) || join['alias'] !== undefined) return [];
  return [join['larg'], join['rarg']].flatMap((side) => tablesIn(side, queries, depth + 1));
}

function conditionOf(tree: unknown, scope: Scope, depth: number): Condition {
  if (!isTree(tree) || depth > DEPTH_MAX) return OPEN;
  const { BoolExpr: logic, A_Expr: expression, NullTest: isNull, BooleanTest: isTrue, SubLink: query } = tree;
  if (isTree(logic) && Array.isArray(logic['args'])) {
    const parts = logic['args'].map((one: unknown) => conditionOf(one, scope, depth + 1));
    // `and` within `and` is one list.
    if (logic['boolop'] === 'AND_EXPR')
      return { is: 'all', of: parts.flatMap((part) => (part.is === 'all' ? part.of : [part])) };
    return logic['boolop'] === 'OR_EXPR' ? { is: 'any', of: parts } : OPEN;
  }
  if (isTree(expression)) return comparisonOf(expression, scope);
  if (isTree(isNull) && isNull['nulltesttype'] === 'IS_NULL') return someRows(tableOf(isNull['arg'], scope));
  if (isTree(isTrue) && ['IS_TRUE', 'IS_FALSE'].includes(String(isTrue['booltesttype'])))
    return someRows(tableOf(isTrue['arg'], scope));
  if (isTree(query)) return membershipOf(query, scope, depth);
  return someRows(tableOf(tree, scope));
}

function someRows(table: string | undefined): Condition {
  return table === undefined ? OPEN : { is: 'beyond', table };
}

function comparisonOf(expression: Tree, scope: Scope): Condition {
  const { kind, name, lexpr, rexpr } = expression;
  const operator = operatorOf(name);
  const table = tableOf(lexpr, scope);
  switch (kind) {
    case 'AEXPR_OP':
      return operationOf(operator, lexpr, rexpr, scope);
    case 'AEXPR_NOT_DISTINCT':
      return equalTo(table, fixedValue(rexpr));
    case 'AEXPR_IN':
      return operator === '=' ? oneOf(table, itemsOf(rexpr).map(fixedValue)) : OPEN;
    case 'AEXPR_OP_ANY':
      return operator === '=' ? oneOf(table, elementsOf(rexpr)) : OPEN;
    case 'AEXPR_BETWEEN': {
      const [low, high] = itemsOf(rexpr).map(fixedValue);
      if (low === undefined || high === undefined) return OPEN;
      const above = beyond(table, '>=', low);
      return above.is === 'open' ? beyond(table, '<=', high) : above;
    }
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE': {
      const pattern = fixedValue(rexpr);
      return like(
        operator?.startsWith('~~') ? table : undefined,
        pattern?.is === 'text' ? pattern.text : undefined,
      );
    }
    default:
      return OPEN;
  }
}

const MIRRORED = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;
const operatorSchema = z.enum(['=', '<', '<=', '>', '>=']);

function operationOf(name: string | undefined, left: unknown, right: unknown, scope: Scope): Condition {
  const operator = operatorSchema.safeParse(name).data;
  if (operator === undefined) return OPEN;
  const [one, other] = [tableOf(left, scope), tableOf(right, scope)];
  if (one !== undefined && other !== undefined)
    return operator === '=' && one !== other ? { is: 'joined', tables: [one, other] } : OPEN;
  return one === undefined
    ? compared(other, MIRRORED[operator], fixedValue(left))
    : compared(one, operator, fixedValue(right));
}

function compared(
  table: string | undefined,
  operator: keyof typeof MIRRORED,
  value: Value | undefined,
): Condition {
  return operator === '=' ? equalTo(table, value) : beyond(table, operator, value);
}

/**
 * A column that is in a query's results: the query must be limited itself. Its result must be a column of its own: a
 * name that its table lacks means the outer column, which is always among its own values.
 */
function membershipOf(link: Tree, scope: Scope, depth: number): Condition {
  const { subLinkType, operName, testexpr, subselect } = link;
  const select = isTree(subselect) ? subselect['SelectStmt'] : undefined;
  const table = tableOf(testexpr, scope);
  if (subLinkType !== 'ANY_SUBLINK' || operName !== undefined || table === undefined || !isTree(select))
    return OPEN;
  const from = select['fromClause'];
  const [range, ...more] = Array.isArray(from) ? from : [];
  const inner = tableIn(isTree(range) ? range['RangeVar'] : undefined, scope.queries);
  if (more.length > 0 || inner === undefined || select['op'] !== 'SETOP_NONE') return OPEN;
  const within = { ...scope, tables: new Set([inner.name]) };
  const [result, ...others] = Array.isArray(select['targetList']) ? select['targetList'] : [];
  const target = isTree(result) && isTree(result['ResTarget']) ? result['ResTarget']['val'] : undefined;
  const own = inner.table === scope.changed ? inner.name : undefined;
  if (others.length > 0 || tableOf(target, { ...within, only: own }) !== inner.name) return OPEN;
  const condition = conditionOf(select['whereClause'], { ...within, only: inner.name }, depth + 1);
  return limitsRows(condition, [inner.name]) ? { is: 'equal', table } : OPEN;
}

/** Returns the table of a column, also where the column is cast, in lower case, or a field of JSON is taken from it. */
function tableOf(tree: unknown, scope: Scope): string | undefined {
  if (!isTree(tree)) return undefined;
  const {
    ColumnRef: column,
    TypeCast: cast,
    FuncCall: call,
    A_Expr: expression,
    CollateClause: collated,
  } = tree;
  if (isTree(column)) return tableOfColumn(column, scope);
  if (isTree(cast)) return isFaithful(cast) ? tableOf(cast['arg'], scope) : undefined;
  if (isTree(collated)) return tableOf(collated['arg'], scope);
  if (isTree(call)) {
    const [argument, ...more] = Array.isArray(call['args']) ? call['args'] : [];
    return FAITHFUL_FUNCTIONS.has(functionOf(call)) && more.length === 0
      ? tableOf(argument, scope)
      : undefined;
  }
  if (isTree(expression) && EXTRACTIONS.has(operatorOf(expression['name']) ?? ''))
    return fixedValue(expression['rexpr']) === undefined ? undefined : tableOf(expression['lexpr'], scope);
  return undefined;
}

/** The same for all or nearly all rows of a table. */
const SYSTEM_COLUMNS = new Set(['tableoid', 'xmin', 'xmax', 'cmin', 'cmax']);

function tableOfColumn(column: Tree, { tables, only }: Scope): string | undefined {
  const names = namesOf(column['fields']);
  const table = names.length === 1 ? only : names.at(-2);
  return table === undefined || !tables.has(table) || SYSTEM_COLUMNS.has(names.at(-1) ?? '')
    ? undefined
    : table;
}

/** Returns a value that no row changes, or undefined. */
function fixedValue(tree: unknown): Value | undefined {
  if (!isTree(tree)) return undefined;
  const { A_Const: constant, ParamRef: parameter, TypeCast: cast } = tree;
  if (constant !== undefined) return constantSchema.safeParse(constant).data;
  if (parameter !== undefined) return { is: 'later' };
  if (isTree(cast)) {
    const value = fixedValue(cast['arg']);
    return value === undefined || isFaithful(cast) ? value : undefined;
  }
  return isClock(tree) ? { is: 'later' } : undefined;
}

/** The clock, its day or hour, and some time before or after it. */
function isClock(tree: Tree): boolean {
  const { SQLValueFunction: keyword, FuncCall: call, A_Expr: expression, TypeCast: cast } = tree;
  if (keyword !== undefined) return true;
  if (isTree(cast)) return isFaithful(cast) && isTree(cast['arg']) && isClock(cast['arg']);
  if (isTree(call)) {
    const name = functionOf(call);
    const [, instant] = Array.isArray(call['args']) ? call['args'] : [];
    return CLOCKS.has(name) || (name === 'date_trunc' && isTree(instant) && isClock(instant));
  }
  if (!isTree(expression) || !['+', '-'].includes(operatorOf(expression['name']) ?? '')) return false;
  const { lexpr, rexpr } = expression;
  const span = isTree(rexpr) ? rexpr['TypeCast'] : undefined;
  const isSpan =
    isTree(span) && isTree(span['typeName']) && ownName(namesOf(span['typeName']['names'])) === 'interval';
  return isTree(lexpr) && isClock(lexpr) && (isSpan || fixedValue(rexpr)?.is === 'number');
}

function isFaithful({ typeName }: Tree): boolean {
  if (!isTree(typeName) || typeName['typmods'] !== undefined || typeName['arrayBounds'] !== undefined)
    return false;
  return FAITHFUL_TYPES.has(ownName(namesOf(typeName['names'])) ?? '');
}

function functionOf(call: Tree): string {
  return ownName(namesOf(call['funcname'])) ?? '';
}

function operatorOf(name: unknown): string | undefined {
  return ownName(namesOf(name));
}

/** Returns the name of what PostgreSQL itself may have: without a schema, or in its own. */
export function ownName(names: readonly string[]): string | undefined {
  const [first, second, ...more] = names;
  if (second === undefined) return first;
  return first === 'pg_catalog' && more.length === 0 ? second : undefined;
}

/** Returns the parts of a name; none where one of them is no text, as in `a.*`. */
function namesOf(parts: unknown): string[] {
  return (stringsSchema.safeParse(parts).data ?? []).map(({ String: { sval } }) => sval);
}

function itemsOf(tree: unknown): unknown[] {
  const list = isTree(tree) ? tree['List'] : undefined;
  return isTree(list) && Array.isArray(list['items']) ? list['items'] : [];
}

function elementsOf(tree: unknown): (Value | undefined)[] {
  const array = isTree(tree) ? tree['A_ArrayExpr'] : undefined;
  if (isTree(array) && Array.isArray(array['elements'])) return array['elements'].map(fixedValue);
  return [isTree(tree) && tree['ParamRef'] !== undefined ? { is: 'later' } : undefined];
}
