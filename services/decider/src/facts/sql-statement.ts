import { type PolicyFacts, sqlStatementSchema } from '@interlock/contracts';

/** One statement as policy sees it. */
export type SqlStatement = Extract<PolicyFacts['sql'][number], { readable: true }>['statements'][number];

/** What was seen in a statement's tree. */
export interface Seen {
  tables: Set<string>;
  /** Lower case. */
  functions: Set<string>;
  /** False once something was seen that may change anything. */
  reads: boolean;
}

/** Returns a statement as policy sees it, or undefined where it names more than policy takes. */
export function statementOf(
  kind: string,
  { tables, functions, reads }: Seen,
  conditioned: boolean | undefined,
): SqlStatement | undefined {
  const statement = {
    kind,
    readOnly: reads,
    tables: [...tables],
    functions: [...functions],
    ...(conditioned === undefined ? {} : { conditioned }),
  };
  return sqlStatementSchema.safeParse(statement).data;
}
