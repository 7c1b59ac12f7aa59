/**
 * Reads SQL in a thread of its own.
 *
 * 1. A text is short, and its reading has a deadline: the thread is ended at it, and the text counts as unreadable.
 * 2. One job at a time. A job waits for those before it, so a queue that is too long is an outage, not an answer.
 * 3. Whatever ends the thread ends one job; the next one starts another thread.
 */
import { Worker } from 'node:worker_threads';
import { Fault, sqlStatementSchema } from '@interlock/contracts';
import { Queue } from '@interlock/shell';
import { z } from 'zod';
import { SQL_LENGTH_MAX, type SqlText } from './sql-job.ts';
import type { SqlStatement } from './sql-statement.ts';

/** The worst text of the greatest length takes a quiet machine less than half of this. */
const READ_MS = 1_000;
/** Loading the parsers takes a fifth of a second. */
const LOAD_MS = 10_000;
/** Jobs that wait; more of them would come back from the bus before they are read. */
const WAITING_MAX = 128;
/** A call waits this long for its turn before it goes back to the bus: well within the acknowledgement wait. */
const TURN_MS = 2_500;
const HEAP_MEBIBYTES = 256;
const STACK_MEBIBYTES = 8;
const STATEMENTS_MAX = 64;

const answerSchema = z.strictObject({
  job: z.int(),
  answers: z.array(z.array(sqlStatementSchema).min(1).max(STATEMENTS_MAX).nullable().catch(null)),
});
const readySchema = z.strictObject({ ready: z.literal(true) });

export interface SqlReader extends AsyncDisposable {
  /**
   * Returns the statements of each text; undefined for one that no parser understood in time.
   * Throws `dependency_unavailable` when too many wait.
   */
  read(texts: readonly SqlText[]): Promise<(SqlStatement[] | undefined)[]>;
}

/** Makes a reader of SQL that gives a call's texts so long. Its thread starts with the first text. */
export function createSqlReader(readMs: number = READ_MS): SqlReader {
  return new ThreadedSqlReader(readMs);
}

class ThreadedSqlReader implements SqlReader {
  readonly #readMs: number;
  readonly #queue = new Queue();
  #thread: Promise<Worker> | undefined;
  #jobs = 0;

  constructor(readMs: number) {
    this.#readMs = readMs;
  }

  async read(texts: readonly SqlText[]): Promise<(SqlStatement[] | undefined)[]> {
    const length = texts.reduce((sum, { text }) => sum + text.length, 0);
    if (length > SQL_LENGTH_MAX) return texts.map(() => undefined);
    if (texts.length === 0) return [];
    if (this.#queue.size >= WAITING_MAX) throw busy();
    const enteredMs = performance.now();
    return await this.#queue.run(async () => {
      if (performance.now() - enteredMs > TURN_MS) throw busy();
      return await this.#ask(texts);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.idle();
    const thread = await this.#thread?.catch(() => undefined);
    this.#thread = undefined;
    await thread?.terminate();
  }

  async #ask(texts: readonly SqlText[]): Promise<(SqlStatement[] | undefined)[]> {
    this.#thread ??= startThread();
    const thread = await this.#thread.catch((cause: unknown) => {
      this.#thread = undefined;
      throw new Fault('dependency_unavailable', { detail: 'The reader of SQL does not start.', cause });
    });
    this.#jobs += 1;
    const job = this.#jobs;
    const said = heard(thread, this.#readMs);
    thread.postMessage({ job, texts });
    const answer = answerSchema.safeParse(await said.catch(() => undefined));
    if (answer.success && answer.data.job === job && answer.data.answers.length === texts.length)
      return answer.data.answers.map((one) => one ?? undefined);
    this.#thread = undefined;
    await thread.terminate();
    return texts.map(() => undefined);
  }
}

async function startThread(): Promise<Worker> {
  const thread = new Worker(new URL('./sql-thread.ts', import.meta.url), {
    name: 'sql',
    // What it parses was chosen by an agent; it needs nothing of this process.
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEBIBYTES, stackSizeMb: STACK_MEBIBYTES },
  });
  // A thread that waits for work does not keep the process; one that fails between jobs is found by the next.
  thread.unref();
  thread.on('error', () => undefined);
  try {
    readySchema.parse(await heard(thread, LOAD_MS));
    return thread;
  } catch (error) {
    await thread.terminate();
    throw error;
  }
}

/** Resolves with the next thing a thread says; rejects when it ends or says nothing in time. */
function heard(thread: Worker, limitMs: number): Promise<unknown> {
  const next = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => next.reject(new Error('the thread took too long')), limitMs);
  const onExit = () => next.reject(new Error('the thread ended'));
  thread.once('message', next.resolve);
  thread.once('error', next.reject);
  thread.once('exit', onExit);
  return next.promise.finally(() => {
    clearTimeout(timer);
    thread.off('message', next.resolve);
    thread.off('error', next.reject);
    thread.off('exit', onExit);
  });
}

function busy(): Fault {
  return new Fault('dependency_unavailable', { detail: 'Too many calls wait for their SQL to be read.' });
}
