/** Draws SQL from a grammar, and holds the rule to finding what is in it, or to not reading it. */
import { DatabaseSync } from 'node:sqlite';
import type { SqlDialect } from '@interlock/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled } from './grammar.fixture.ts';
import { createJudge, DRAWS, type Judge } from './rule.fixture.ts';
import { createSqlReader } from './sql.ts';
import { allowed, BLANKS, EVERY_ROW, hidden, someRows, spelled } from './sql-grammar.fixture.ts';

let judge: Judge;
const reader = createSqlReader();
beforeAll(async () => {
  judge = await createJudge({
    sql_arguments: { it: { read_only: false, kinds: ['select', 'update'], tables_denied: ['users'] } },
  });
});
afterAll(async () => {
  await judge[Symbol.asyncDispose]();
  await reader[Symbol.asyncDispose]();
});

function verdict(dialect: SqlDialect, sql: string): Promise<string> {
  return judge.judge({ parse: [{ at: '/sql', as: 'sql', dialect }], args: { sql } });
}

describe('[P-rules-hold] sql_arguments', () => {
  test.each(['postgresql', 'mysql', 'sqlite'] as const)(
    'denies a change that is not allowed wherever it hides, and an update of every row: %s',
    async (dialect) => {
      const blanks = dialect === 'postgresql' ? BLANKS.postgresql : BLANKS.plain;
      await fc.assert(
        fc.asyncProperty(spelled(hidden[dialect], blanks), async (sql) => {
          expect(await verdict(dialect, sql), sql).toMatch(/^deny.* sql_arguments/);
        }),
        DRAWS,
      );
    },
    240_000,
  );

  test.each(['postgresql', 'mysql', 'sqlite'] as const)(
    'allows reads, and updates whose condition names rows: %s',
    async (dialect) => {
      const blanks = dialect === 'postgresql' ? BLANKS.postgresql : BLANKS.plain;
      await fc.assert(
        fc.asyncProperty(spelled(allowed, blanks), async (sql) => {
          expect(await verdict(dialect, sql), sql).toBe('allow allow_listed');
        }),
        { ...DRAWS, numRuns: 300 },
      );
    },
    120_000,
  );
});

test('[P-rules-hold] a condition that is said to limit rows leaves some in SQLite itself', async () => {
  using database = new DatabaseSync(':memory:');
  database.exec('create table orders (id integer, state text, amount integer)');
  const rows = Array.from({ length: 12 }, (_, index) => `(${index + 1}, 'state ${index}', ${index})`);
  database.exec(`insert into orders values ${rows.join(', ')}, (99, null, null)`);
  const conditions = fc.oneof(
    EVERY_ROW.sqlite,
    someRows,
    filled(['<one> or <two>', '<one> and <two>', 'not (<one>)', '(<one>) = 0'], {
      one: EVERY_ROW.sqlite,
      two: someRows,
    }),
  );
  await fc.assert(
    fc.asyncProperty(conditions, async (condition) => {
      const sql = `delete from orders where ${condition}`;
      const [statements] = await reader.read([{ dialect: 'sqlite', text: sql }]);
      if (statements?.[0]?.conditioned !== true) return;
      const changed = rowsChanged(database, sql);
      expect(changed, sql).toBeLessThan(rows.length + 1);
    }),
    DRAWS,
  );
}, 120_000);

/** Runs a statement, takes it back, and returns how many rows it changed; none where the database refuses it. */
function rowsChanged(database: DatabaseSync, sql: string): number {
  database.exec('begin');
  try {
    return Number(database.prepare(sql).run().changes);
  } catch {
    return 0;
  } finally {
    database.exec('rollback');
  }
}
