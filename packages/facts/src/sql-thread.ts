/** The thread that reads SQL: a text that takes a parser too much time or memory costs only this thread. */
import { parentPort } from 'node:worker_threads';
import { loadMysqlOrSqlite, readMysqlOrSqlite } from './mysql-sqlite.ts';
import { loadPostgresql, readPostgresql } from './postgresql.ts';
import { type SqlText, sqlJobSchema } from './sql-job.ts';

await loadPostgresql();
parentPort?.on('message', async (message: unknown) => {
  const { job, texts } = sqlJobSchema.parse(message);
  for (const { dialect } of texts) if (dialect !== 'postgresql') await loadMysqlOrSqlite(dialect);
  parentPort?.postMessage({ job, answers: texts.map(read) });
});
parentPort?.postMessage({ ready: true });

function read({ dialect, text }: SqlText) {
  const statements = dialect === 'postgresql' ? readPostgresql(text) : readMysqlOrSqlite(dialect, text);
  return statements ?? null;
}
