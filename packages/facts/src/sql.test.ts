import { eventually, processorMs } from '@interlock/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { HANGING_TEXT } from './hanging-text.fixture.ts';
import { createSqlReader } from './sql.ts';
import { SQL_LENGTH_MAX, type SqlText } from './sql-job.ts';

/** The most processor time a text may take, a thread that is given up and the next one's start among it. */
const WORST_MS = 4_000;

/** What is asserted is processor time, so a busy machine is given longer than a service gives it. */
const reader = createSqlReader({ readMs: 30_000, turnMs: 30_000 });
afterAll(() => reader[Symbol.asyncDispose]());

async function read(dialect: SqlText['dialect'], text: string) {
  const [statements] = await reader.read([{ dialect, text }]);
  return statements;
}

async function mayWrite(dialect: SqlText['dialect'], text: string): Promise<boolean> {
  const statements = await read(dialect, text);
  return statements === undefined || statements.some(({ readOnly }) => !readOnly);
}

describe('[P-facts-parsed] PostgreSQL that may change something is never read-only', () => {
  test.each([
    'delete from a',
    'select 1; drop table a',
    'select 1;\ndrop table a',
    'select 1 -- \n; delete from a',
    'select 1 /* /* */ delete */ ; delete from a',
    'with x as (delete from a returning *) select * from x',
    'with x as (insert into a values (1) returning *) select * from x',
    'select * from (with x as (update a set b = 1 returning *) select * from x) y',
    'select * into b from a',
    'create table b as select 1',
    'select * from a for update',
    'select * from a where id in (select id from b for no key update)',
    'select pg_sleep(1)',
    "select lo_export(1, '/tmp/x')",
    "select * from dblink('x', 'delete from a') as t(a int)",
    "select pg_catalog.pg_sleep(1), 'a'",
    "select set_config('x', 'y', false)",
    "select nextval('s')",
    "select public.lower('a')",
    'select "LOWER"(\'a\')',
    'select U&"pg\\005fsleep"(1)',
    'select * from rows from (pg_sleep(1)) as t',
    "select query_to_xml('delete from a', true, true, '')",
    'select * from a tablesample mine(1)',
    "copy a to program 'id'",
    "copy (select 1) to '/tmp/x'",
    'explain analyze delete from a',
    'explain (analyze) select pg_sleep(1)',
    'do $$ begin delete from a; end $$',
    'call p()',
    'prepare s as delete from a',
    'execute s',
    'declare c cursor for select 1',
    "listen x; notify x, 'y'",
    'lock a',
    'set role admin',
    'begin',
    'refresh materialized view a',
    'merge into a using b on a.id = b.id when matched then delete',
    'vacuum a',
    '-- nothing',
    '',
    'select 1 \0; drop table a',
    'selec 1',
  ])('%s', async (text) => {
    expect(await mayWrite('postgresql', text)).toBe(true);
  });
});

describe('[P-facts-parsed] MySQL and SQLite that may change something are never read-only', () => {
  test.each([
    ['mysql', 'delete from a'],
    ['mysql', 'select 1; drop table a'],
    ['mysql', '/*! delete from a */'],
    ['mysql', 'select /*!50000 sleep(5) */ 1'],
    ['mysql', 'select /*M! sleep(5) */ 1'],
    ['mysql', 'select 1 --1\n; delete from a'],
    ['mysql', "select '\\'; delete from a; select '1'"],
    ['mysql', 'select 1 # x\n; delete from a'],
    ['mysql', '/* /* */ delete from a; /* */ */ select 1'],
    ['mysql', "select * into outfile '/tmp/x' from a"],
    ['mysql', "select * from a into dumpfile '/tmp/x'"],
    ['mysql', 'select a into @b from c'],
    ['mysql', 'select * from a for update'],
    ['mysql', 'select * from a lock in share mode'],
    ['mysql', 'select * from a where b in (select b from c for update)'],
    ['mysql', 'select sleep(5)'],
    ['mysql', "select load_file('/etc/passwd')"],
    ['mysql', 'select benchmark(1, 2)'],
    ['mysql', "select get_lock('a', 1)"],
    ['mysql', 'select sys.lower(1)'],
    ['mysql', 'select `sleep`(5)'],
    ['mysql', 'select SLEEP (5)'],
    ['mysql', 'select @a := 1'],
    ['mysql', 'set @a = 1'],
    ['mysql', 'call p()'],
    ['mysql', 'do sleep(5)'],
    ['mysql', "load data infile 'x' into table a"],
    ['mysql', 'replace into a values (1)'],
    ['mysql', 'explain delete from a'],
    ['mysql', 'select 1 union select 1 from a for update'],
    ['sqlite', 'delete from a'],
    ['sqlite', 'select 1; drop table a'],
    ['sqlite', "attach database 'x' as y"],
    ['sqlite', 'pragma writable_schema = 1'],
    ['sqlite', "select load_extension('x')"],
    ['sqlite', "select writefile('a', 'b')"],
    ['sqlite', "select '\\'; delete from a; --'"],
    ['sqlite', 'vacuum'],
    ['sqlite', "vacuum into 'x'"],
    ['sqlite', 'with x as (select 1) delete from a'],
    ['sqlite', 'select 1 \0; drop table a'],
    ['sqlite', ''],
  ] as const)('%s: %s', async (dialect, text) => {
    expect(await mayWrite(dialect, text)).toBe(true);
  });
});

describe('[P-facts-parsed] a statement that only reads', () => {
  test.each([
    [
      'postgresql',
      'select a, count(*) from s.t where b = 1 group by a order by 2 limit 5',
      ['s.t'],
      ['count'],
    ],
    [
      'postgresql',
      "select lower(x), now() from t join u using (id) where x like '%;drop%'",
      ['t', 'u'],
      ['lower', 'now'],
    ],
    ['postgresql', 'with x as (select max(a) from t) select * from x', ['t', 'x'], ['max']],
    ['postgresql', 'show search_path', [], []],
    ['postgresql', "select 'it''s' -- fine\n", [], []],
    ['mysql', 'select `a`.`b`, concat(c, 1) from `d`.`e` where f > 1', ['d.e'], ['concat']],
    ['mysql', 'select a from b union select c from d', ['b', 'd'], []],
    ['mysql', 'select * from a where b in (select max(c) from d)', ['a', 'd'], ['max']],
    ['sqlite', "select 'a' || x from y where z = 1;", ['y'], []],
    ['sqlite', "select * from t, json_each('[1]')", ['t'], ['json_each']],
  ] as const)('%s: %s', async (dialect, text, tables, functions) => {
    const statements = await read(dialect, text);
    expect(statements).toHaveLength(1);
    expect(statements?.[0]).toMatchObject({ readOnly: true });
    expect(statements?.[0]?.tables.toSorted()).toEqual(tables);
    expect(statements?.[0]?.functions.toSorted()).toEqual(functions);
  });
});

describe('the fact of a statement says', () => {
  test.each([
    ['postgresql', 'drop table a.b, c', 'drop', ['a.b', 'c']],
    ['postgresql', 'alter table x drop column y', 'alter', ['x']],
    ['postgresql', 'create index i on t (a)', 'create', ['t']],
    ['postgresql', 'truncate a, b', 'truncate', ['a', 'b']],
    ['postgresql', 'grant select on a to b', 'grant', ['a']],
    ['postgresql', 'revoke all on a from b', 'revoke', ['a']],
    ['postgresql', 'commit', 'commit', []],
    ['postgresql', 'insert into a select * from b', 'insert', ['a', 'b']],
    ['mysql', 'truncate a', 'truncate', ['a']],
    ['mysql', 'rename table a to b', 'rename', ['a', 'b']],
    ['mysql', 'alter table a add column b int', 'alter', ['a']],
    ['sqlite', 'insert into a select * from b', 'insert', ['a', 'b']],
    ['sqlite', 'create table a as select 1', 'create', ['a']],
  ] as const)('%s: its verb and what it names: %s', async (dialect, text, kind, tables) => {
    const statements = await read(dialect, text);
    expect(statements).toMatchObject([{ kind, readOnly: false }]);
    expect(statements?.[0]?.tables.toSorted()).toEqual(tables);
  });

  test.each([
    ['delete from a', false],
    ['delete from a where true', false],
    ['delete from a where 1 = 1', false],
    ['delete from a where id = id', false],
    ['delete from a where id = 1 or 1 = 1', false],
    ['delete from a where id = 1 or 2 > 1', false],
    ['delete from a where 1 = 1 or id = 1 and b = 2', false],
    ['delete from a where id is not null', false],
    ['delete from a where id <> -1', false],
    ['delete from a where id > 0', false],
    ['delete from a where id in (select id from a)', false],
    ["delete from a where b like '%'", false],
    ['update a set b = 1 where not false', false],
    ['delete from a where id = 1', true],
    ['delete from a where 1 = 1 and id = 1', true],
    ['delete from a where id = 1 or id = 2', true],
    ["delete from a where b < '2020-01-01'", true],
    ['update a set b = 1 where id in (1, 2)', true],
    ['update a set b = 1 where b is null', true],
  ])('whether a condition limits its rows: %s', async (text, conditioned) => {
    for (const dialect of ['postgresql', 'mysql', 'sqlite'] as const) {
      const statements = await read(dialect, text);
      if (statements !== undefined) expect(statements, dialect).toMatchObject([{ conditioned }]);
    }
    expect(await read('postgresql', text)).toMatchObject([{ conditioned }]);
  });

  test.each([
    ['update a set b = 1 from c where c.id = 5', false],
    ['update a set b = 1 from c where a.c = c.id and c.id = 5', true],
    ['with c as (select id, 5 as d from a) update a set b = 1 from c where a.id = c.id and c.d = 5', false],
    ['delete from a where id in (select id from c where id = 5)', false],
    ['delete from a where id in (select c.id from c where c.d = 5)', true],
    ['merge into a using c on a.id = c.id when matched then delete', false],
    ['merge into a using c on a.id = 5 when matched then delete', true],
    ['with x as (delete from a returning *) update a set b = 1 where id = 5', false],
    ['with x as (delete from a where id = 5 returning *) update a set b = 1 where id = 5', true],
  ])(
    'whether every change inside it limits the rows of the table that it changes: %s',
    async (text, conditioned) => {
      expect(await read('postgresql', text)).toMatchObject([{ conditioned }]);
    },
  );

  test.each([
    ['postgresql', 'select 1', ['select']],
    ['postgresql', 'with x as (delete from a) update b set c = 1 where d = 2', ['update', 'delete']],
    ['postgresql', 'insert into a values (1) on conflict (b) do update set c = 1', ['insert', 'update']],
    ['postgresql', 'insert into a values (1) on conflict do nothing', ['insert']],
    ['postgresql', 'merge into a using b on true when matched then update set c = 1', ['merge', 'update']],
    ['postgresql', 'select * into b from a', ['select', 'create']],
    ['postgresql', 'explain analyze delete from a', ['explain', 'delete']],
    ['postgresql', 'prepare p as insert into a values (1)', ['prepare', 'insert']],
    ['postgresql', 'copy (delete from a returning *) to stdout', ['copy', 'delete']],
    ['postgresql', 'select public.lower(a) from b', ['select', 'call']],
    ['postgresql', 'update a set b = 1 operator(x.+) 2 where c = 3', ['update', 'call']],
    ['postgresql', "select 'a'::x.kind", ['select', 'call']],
    ['mysql', 'insert into a values (1) on duplicate key update b = 1', ['insert', 'update']],
    ['mysql', 'replace into a values (1)', ['replace']],
    ['mysql', 'select 1 into @a', ['select', 'into']],
    ['mysql', 'update a set b = x.lower(1) where c = 2', ['update', 'call']],
    ['sqlite', 'insert or replace into a values (1)', ['insert', 'replace']],
    ['sqlite', 'create trigger t after insert on a begin delete from b; end', ['create', 'delete']],
  ] as const)('%s: every kind of change in it: %s', async (dialect, text, kinds) => {
    expect((await read(dialect, text))?.[0]?.kinds).toEqual(kinds);
  });

  test.each([
    ['select * from "a.b"', ['"a.b"'], []],
    ['select * from a.b, "c""d"', ['a.b', '"c""d"'], []],
    ['select "LOWER"(1), "a.lower"(2), lower(\'x\')', [], ['"LOWER"', '"a.lower"', 'lower']],
  ])('the names in it so that no other name reads the same: %s', async (text, tables, functions) => {
    const [statement] = (await read('postgresql', text)) ?? [];
    expect({ tables: statement?.tables, functions: statement?.functions }).toEqual({ tables, functions });
  });
});

describe('[P-facts-parsed] a text that attacks the parser', () => {
  const fill = (head: string, unit: string, tail = '') =>
    head + unit.repeat(Math.floor((SQL_LENGTH_MAX - head.length - tail.length) / unit.length)) + tail;
  const nest = (head: string, open: string, core: string, close: string) => {
    const depth = Math.floor((SQL_LENGTH_MAX - head.length - core.length) / (open.length + close.length));
    return head + open.repeat(depth) + core + close.repeat(depth);
  };
  const texts = {
    columns: fill('select ', 'a,', '1'),
    sums: fill('select ', '1+', '1'),
    conditions: fill('select 1 from a where ', 'a=1 and ', 'a=1'),
    alternatives: fill('select 1 from a where ', 'a=1 or ', 'a=1'),
    negations: fill('select ', 'not ', '1'),
    minuses: fill('select ', '- ', '1'),
    members: fill('select 1 from a where a in (', '1,', '1)'),
    joins: fill('select 1 from a', ' join a on 1=1'),
    unions: fill('select 1', ' union select 1'),
    many: fill('', 'select 1;'),
    rows: fill('insert into a values (1)', ',(1)'),
    brackets: nest('select ', '(', '1', ')'),
    queries: nest('select * from ', '(select * from ', 'a', ') x'),
    calls: nest('select ', 'f(', '1', ')'),
    cases: nest('select ', 'case when a then ', '1', ' else 2 end'),
    exists: nest('select 1 where ', 'exists(select 1 from a where ', '1=1', ')'),
    unclosed: fill('select ', '('),
    quotes: fill("select '", "''", "'"),
  };

  test.each(['postgresql', 'mysql', 'sqlite'] as const)(
    'ends in time: %s',
    async (dialect) => {
      for (const [name, text] of Object.entries(texts))
        expect(await processorMs(() => read(dialect, text)), name).toBeLessThan(WORST_MS);
      expect(await read(dialect, 'select 1')).toMatchObject([{ readOnly: true }]);
    },
    120_000,
  );

  test('is unreadable at its deadline, and the next text is read', async () => {
    await using impatient = createSqlReader({
      program: new URL('./hanging-sql-thread.fixture.ts', import.meta.url),
    });
    expect(await impatient.read([{ dialect: 'mysql', text: HANGING_TEXT }])).toEqual([undefined]);
    const plain = { dialect: 'postgresql', text: 'select 1' } as const;
    const next = await eventually(async () => {
      const [statements] = await impatient.read([plain]);
      return statements;
    });
    expect(next).toMatchObject([{ readOnly: true }]);
  });

  test('waits its turn: each call gets its own answer, and a call beyond the limit gets an outage', async () => {
    const asked = Array.from({ length: 200 }, (_, index) =>
      reader.read([{ dialect: 'postgresql', text: `select a from t${index}` }]),
    );
    const answers = await Promise.allSettled(asked);
    const read = answers.flatMap((answer, index) =>
      answer.status === 'fulfilled' ? [[`t${index}`, answer.value[0]?.[0]?.tables[0]]] : [],
    );
    expect(read.length).toBeGreaterThanOrEqual(128);
    for (const [named, found] of read) expect(found).toBe(named);
    const refused = answers.filter((answer) => answer.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'dependency_unavailable' });
  });

  test('is unreadable when it is too long, alone or together with the others of its call', async () => {
    const half = `select '${'x'.repeat(SQL_LENGTH_MAX / 2)}'`;
    const long = { dialect: 'postgresql', text: half } as const;
    expect(await reader.read([long, long])).toEqual([undefined, undefined]);
    expect(await reader.read([long])).toMatchObject([[{ readOnly: true }]]);
  });
});
