import { type PolicyFacts, sqlStatementSchema } from '@interlock/contracts';

/** One statement as policy sees it. */
export type SqlStatement = Extract<PolicyFacts['sql'][number], { readable: true }>['statements'][number];

/** What a statement's tree holds. */
export interface Found {
  tables: Set<string>;
  /** Lower case. */
  functions: Set<string>;
  /** False once a node or function was found that may change anything. */
  reads: boolean;
  /** The verbs of what it and anything inside it does, besides reading. */
  kinds: Set<string>;
  /** False once an update or a delete was found that may change every row; undefined while none was found. */
  conditioned: boolean | undefined;
}

/** Returns the record of a statement of which nothing was read yet. */
export function nothingFound(kind: string): Found {
  return {
    tables: new Set(),
    functions: new Set(),
    reads: true,
    kinds: new Set([kind]),
    conditioned: undefined,
  };
}

/** Notes an update or a delete, and whether it changes only some rows. */
export function foundChange(found: Found, someRows: boolean): void {
  found.conditioned = someRows && found.conditioned !== false;
}

/** Notes a function of which it is not known that it changes nothing. */
export function foundUnknownFunction(found: Found): void {
  found.reads = false;
  found.kinds.add('call');
}

/** Joins the parts of the name of a table. A part that holds a dot or a quote is quoted, or it would read as two. */
export function tableName(parts: readonly string[]): string {
  return parts.map((part) => (/[."`[\]]/.test(part) ? quoted(part) : part)).join('.');
}

/** The same for a function. One with a capital letter is quoted, too: it is another function than the same in lower case. */
export function functionName(parts: readonly string[]): string {
  return parts.map((part) => (/[."`[\]]|\p{Lu}/u.test(part) ? quoted(part) : part)).join('.');
}

function quoted(part: string): string {
  return `"${part.replaceAll('"', '""')}"`;
}

/** Returns a statement as policy sees it, or undefined when it names more than the schema takes. */
export function statementOf(
  kind: string,
  { tables, functions, reads, kinds, conditioned }: Found,
): SqlStatement | undefined {
  const statement = {
    kind,
    kinds: [...kinds],
    readOnly: reads,
    tables: [...tables],
    functions: [...functions],
    ...(conditioned === undefined ? {} : { conditioned }),
  };
  return sqlStatementSchema.safeParse(statement).data;
}
