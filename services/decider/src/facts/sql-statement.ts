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
}

/** Returns a statement as policy sees it, or undefined when it names more than the schema takes. */
export function statementOf(
  kind: string,
  { tables, functions, reads }: Found,
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
