/** SQL as an attacker and as an honest agent would write it, drawn from a grammar. */
import type { SqlDialect } from '@interlock/contracts';
import fc from 'fast-check';
import { filled, of } from './grammar.fixture.ts';

/** The same text, with words in upper, lower or mixed case and other blanks between them; what is quoted stays. */
export function spelled(text: fc.Arbitrary<string>, blanks: string[]): fc.Arbitrary<string> {
  return fc.tuple(text, fc.infiniteStream(fc.nat(30))).map(([sql, chances]) => {
    const next = () => Number(chances.next().value);
    const parts = sql.split(/('[^']*'|"[^"]*"|\$\$.*\$\$)/);
    const words = parts.map((part, index) => {
      if (index % 2 === 1) return part;
      const other = part.replace(
        /[a-z]+/g,
        (word) => [word, word.toUpperCase(), capitals(word)][next() % 3] ?? word,
      );
      return other.replaceAll(' ', () => blanks[next() % blanks.length] ?? ' ');
    });
    return words.join('');
  });
}

function capitals(word: string): string {
  return [...word].map((letter, index) => (index % 2 === 0 ? letter : letter.toUpperCase())).join('');
}

export const BLANKS = {
  postgresql: [' ', '  ', '\n', '\t', '/* x */', ' -- y\n', '/* /* z */ */'],
  plain: [' ', '  ', '\n'],
};
const columns = of('id', 'state', 'orders.id', 'amount');

/** Conditions that hold for every row, or may. */
function everyRow(more: string[]): fc.Arbitrary<string> {
  const { all } = fc.letrec<{ all: string; simple: string }>((tie) => ({
    simple: filled(
      [
        '1 = 1',
        '2 > 1',
        "'a' = 'a'",
        'id = id',
        'id = orders.id',
        'id >= id',
        'id = id + 0',
        'id - id = 0',
        'id * 0 = 0',
        '<column> is not null',
        'not <column> is null',
        '<column> is null or <column> is not null',
        'id between id and id',
        'id in (id)',
        'id > 0',
        'id >= 1',
        'id > -1',
        'id <> -1',
        'not id = -1',
        'id not in (-1)',
        'id > 5 or id <= 5',
        'id = 5 or id <> 5',
        "state like '%'",
        "state like '%%_%'",
        "state not like 'zzz'",
        "state >= ''",
        'length(state) >= 0',
        'abs(id) >= 0',
        'coalesce(id, 1) = coalesce(id, 1)',
        'case when id = 5 then 1 else 1 end = 1',
        'exists (select 1)',
        'id = (select id)',
        'id in (select id from orders)',
        'id in (select orders.id from customers where customers.id = 5)',
        ...more,
      ],
      { column: columns },
    ),
    all: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      tie('simple'),
      filled(
        ['(<all>)', '<all> and <simple>', '<all> or <simple>', '<simple> or id = 5', 'id = 5 or <simple>'],
        {
          all: tie('all'),
          simple: tie('simple'),
        },
      ),
      filled(['<simple> or id = 5 and amount = 1', 'amount = 1 and id = 5 or <simple>'], {
        simple: tie('simple'),
      }),
    ),
  }));
  return all;
}

/** Conditions that name rows. */
export const someRows = fc.letrec<{ all: string; simple: string; value: string }>((tie) => ({
  value: of('5', '17', "'open'", "'A-1'"),
  simple: filled(
    [
      'id = <value>',
      '<value> = id',
      'orders.id = <value>',
      'id in (<value>, <value>)',
      'id between 5 and 9',
      "state like 'op%'",
      'state is null',
      'amount > 7',
      "id = 5 and state <> 'closed'",
      'id = 5 or id = 6',
    ],
    { value: tie('value') },
  ),
  all: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    tie('simple'),
    filled(['(<all>)', '<all> and <simple>', '(<simple>) and (1 = 1 or id = 9)', '<all> and amount <> 3'], {
      all: tie('all').map((text) => `(${text})`),
      simple: tie('simple').map((text) => `(${text})`),
    }),
  ),
})).all;

export const EVERY_ROW = {
  postgresql: everyRow([
    'true',
    'not false',
    'id is not distinct from id',
    'id is distinct from -1',
    'id::text = id::text',
    'tableoid = tableoid',
    'tableoid = 16384',
    'xmax = 0',
    'id = any(array[id])',
    "id <> all('{}')",
    'id = all(array[]::int[])',
    "state ~ ''",
    "state similar to '%'",
    '(id, amount) = (id, amount)',
    'id between symmetric id and id',
    "id > 'a' operator(pg_catalog.||) id",
    'id operator(pg_catalog.=) id',
    'orders = orders',
  ]),
  mysql: everyRow([
    'id',
    '1',
    'id or 1',
    'id = id = 1',
    'id = 5 = 0',
    'id = 5 in (0)',
    'state = 0',
    'state in (0)',
    'id || 1 = 1',
    'not 0',
    'id xor 0',
  ]),
  sqlite: everyRow([
    'id',
    '1',
    'id == id',
    'id is id',
    'id = 5 = 0',
    'rowid = rowid',
    "state glob '*'",
    "'x' = 'x'",
    '"x" = \'x\'',
    '"x" > 5',
    '"x" like \'x\'',
  ]),
} satisfies Record<SqlDialect, unknown>;

/** Calls of what may do anything. */
const unknownCalls = {
  postgresql: [
    'purge_all()',
    'evil.lower(state)',
    'public.now()',
    '"LOWER"(state)',
    'pg_sleep(1)',
    "dblink('x', 'delete from orders')",
    "query_to_xml('delete from orders', true, true, '')",
    "nextval('s')",
    '(1 operator(evil.+) 2)',
    "('x'::evil.kind)::text",
    'cast(state as evil.kind)',
    "lo_export(1, '/tmp/x')",
    "set_config('role', 'admin', false)",
  ],
  mysql: [
    'purge_all()',
    'evil.lower(state)',
    'sys.exec(1)',
    '`purge`()',
    'sleep(5)',
    "load_file('/etc/passwd')",
    "get_lock('a', 1)",
  ],
  sqlite: ['purge_all()', "load_extension('x')", "writefile('a', 'b')", '`purge`()', 'fts3_tokenizer(1)'],
} satisfies Record<SqlDialect, string[]>;

/** Statements of kinds that are not allowed, and updates of every row. */
const changes = {
  postgresql: filled(
    [
      'delete from orders',
      'delete from orders where id = 5',
      'delete from only orders as o where o.id = 5',
      'insert into orders values (1)',
      'insert into orders select * from orders where id = 5',
      'insert into orders values (1) on conflict (id) do update set state = excluded.state',
      'insert into orders values (1) on conflict do nothing',
      'merge into orders using customers on orders.id = 5 when matched then delete',
      'merge into orders using customers on orders.id = 5 when not matched then insert values (1)',
      'update orders set state = 1',
      'update orders set state = 1 where <every>',
      'update orders set state = 1 from customers where customers.id = 5',
      'update orders set state = 1 from (select orders.id, 5 as five from orders) as other where orders.id = other.id and other.five = 5',
      'update orders set state = 1 where current of it',
      'update users set state = 1 where id = 5',
      'update orders set state = <unknown> where id = 5',
    ],
    { every: EVERY_ROW.postgresql, unknown: of(...unknownCalls.postgresql) },
  ),
  mysql: filled(
    [
      'delete from orders',
      'delete from orders where id = 5',
      'delete orders from orders join customers on orders.id = customers.id where customers.id = 5',
      'insert into orders values (1)',
      'insert into orders select * from orders where id = 5',
      'insert into orders values (1) on duplicate key update state = 1',
      'insert ignore into orders values (1)',
      'replace into orders values (1)',
      'truncate table orders',
      'drop table orders',
      'update orders set state = 1',
      'update orders set state = 1 where <every>',
      'update orders, customers set orders.state = 1 where customers.id = 5',
      'update orders, customers set state = 1 where id = 5',
      'update users set state = 1 where id = 5',
      'update orders set state = <unknown> where id = 5',
      'with x as (select 1) delete from orders where id = 5',
    ],
    { every: EVERY_ROW.mysql, unknown: of(...unknownCalls.mysql) },
  ),
  sqlite: filled(
    [
      'delete from orders',
      'delete from orders where id = 5',
      'delete from orders where id = 5 returning *',
      'insert into orders values (1)',
      'insert or replace into orders values (1)',
      'insert into orders values (1) on conflict (id) do update set state = 1',
      'replace into orders values (1)',
      'drop table orders',
      'update orders set state = 1',
      'update orders set state = 1 where <every>',
      'update or replace orders set state = 1 where id = 5',
      'update orders set state = 1 from customers where customers.id = 5',
      'update users set state = 1 where id = 5',
      'update orders set state = <unknown> where id = 5',
      'with x as (select 1) delete from orders where id = 5',
    ],
    { every: EVERY_ROW.sqlite, unknown: of(...unknownCalls.sqlite) },
  ),
} satisfies Record<SqlDialect, unknown>;

/** Where a change or a call hides. */
export const hidden = {
  postgresql: filled(
    [
      '<change>',
      '<change>;',
      'select 1; <change>',
      'with x as (<change> returning *) select * from x',
      'with x as (<change> returning *) update orders set state = 1 where id = 5',
      'with a as (select 1), b as materialized (<change> returning *) update orders set state = 1 where id = 5',
      'with recursive x as (<change> returning *) update orders set state = 1 where id = 5',
      'update orders set state = 1 where id = 5 and id in (with x as (<change> returning id) select id from x)',
      'select * from (with x as (<change> returning *) select * from x) as y',
      'explain analyze <change>',
      'explain (analyze true) <change>',
      'prepare p as <change>',
      'copy (<change> returning *) to stdout',
      "copy orders from program 'id'",
      'do $$ begin <change>; end $$',
      'call purge()',
      'execute p',
      'select * into copied from orders',
      'create table copied as select * from orders',
      'create rule r as on select to orders do also <change>',
      'declare c cursor for select <unknown>',
      'select <unknown>',
      'select 1 from orders where <unknown> is null',
      'select 1 from orders order by <unknown>',
      'select * from lateral (select <unknown>) as x',
      'values (<unknown>)',
      'update orders set state = 1 where id = 5 returning <unknown>',
      'update orders set state = 1 where id = 5 and <unknown> is null',
      'select 1 from orders for update',
      'set role admin',
      'begin',
    ],
    { change: changes.postgresql, unknown: of(...unknownCalls.postgresql) },
  ),
  mysql: filled(
    [
      '<change>',
      '<change>;',
      'select 1; <change>',
      'explain <change>',
      'explain analyze <change>',
      "prepare p from '<change>'",
      '/*! <change> */',
      'select 1 /*!50000 ; <change> */',
      'select 1 -- x\n; <change>',
      'select 1 # x\n; <change>',
      "select '\\\\'; <change>; select '1'",
      'delimiter //\n<change> //',
      'call purge()',
      'do <unknown>',
      "select * from orders into outfile '/tmp/x'",
      'select id into @a from orders',
      'select @a := 1',
      'handler orders open',
      "load data infile 'x' into table orders",
      'select <unknown>',
      'select 1 from orders where <unknown> is null',
      'select 1 from orders order by <unknown>',
      'update orders set state = 1 where id = 5 and <unknown> is null',
      'select 1 from orders for update',
      'set @a = 1',
    ],
    { change: changes.mysql, unknown: of(...unknownCalls.mysql) },
  ),
  sqlite: filled(
    [
      '<change>',
      '<change>;',
      'select 1; <change>',
      'explain <change>',
      'select 1 /* x */ ; <change>',
      'select 1 -- x\n; <change>',
      "attach database 'x' as y",
      'pragma writable_schema = 1',
      'vacuum',
      'create trigger t after update on orders begin <change>; end',
      'select <unknown>',
      'select 1 from orders where <unknown> is null',
      'select 1 from orders order by <unknown>',
      'update orders set state = 1 where id = 5 and <unknown> is null',
    ],
    { change: changes.sqlite, unknown: of(...unknownCalls.sqlite) },
  ),
} satisfies Record<SqlDialect, unknown>;

export const allowed = filled(
  [
    'select * from orders',
    'select count(*), lower(state) from orders where <every> group by state',
    'select 1',
    'update orders set state = 1 where <some>',
    "update orders set state = upper('x'), amount = amount + 1 where <some>",
  ],
  { some: someRows, every: of('id = id', '1 = 1', 'id is not null') },
);
