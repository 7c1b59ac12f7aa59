/** The thread that reads SQL with a parser that never ends at one text. */
import { parentPort } from 'node:worker_threads';
import { HANGING_TEXT } from './hanging-text.fixture.ts';
import { sqlJobSchema } from './sql-job.ts';

parentPort?.on('message', (message: unknown) => {
  const hangs = sqlJobSchema.parse(message).texts.some(({ text }) => text === HANGING_TEXT);
  // A parser holds its thread, so this does, too.
  while (hangs);
});
await import('./sql-thread.ts');
