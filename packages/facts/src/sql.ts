/**
 * Reads SQL in a thread of its own.
 *
 * Q1. A text is short, and reading it has a deadline, at which the thread is ended and the text counts as unreadable.
 * Q2. One job at a time. A queue that is too long is an outage (`dependency_unavailable`) and no answer.
 * Q3. Whatever ends the thread ends one job; the next job starts another thread.
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
/** Jobs that wait. Of more jobs the last would be delivered again before they are read. */
const WAITING_MAX = 128;
/** A call waits this long for its turn and is then delivered again: well within the wait for an acknowledgement. */
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
   * Returns the statements of each text; undefined for a text that no parser understood in time.
   * Throws `dependency_unavailable` when too many calls wait.
   */
  read(texts: readonly SqlText[]): Promise<(SqlStatement[] | undefined)[]>;
}

export interface SqlReaderOptions {
  /** The deadline for the texts of one call. */
  readonly readMs?: number;
  /** How long a call waits for its turn. */
  readonly turnMs?: number;
  /** The program of the thread. */
  readonly program?: URL;
}

/** Makes a reader of SQL. Its thread starts with the first text. */
export function createSqlReader({
  readMs = READ_MS,
  turnMs = TURN_MS,
  program = new URL('./sql-thread.ts', import.meta.url),
}: SqlReaderOptions = {}): SqlReader {
  return new ThreadedSqlReader({ readMs, turnMs, program });
}

class ThreadedSqlReader implements SqlReader {
  readonly #options: Required<SqlReaderOptions>;
  readonly #queue = new Queue();
  #thread: Promise<Worker> | undefined;
  #jobs = 0;

  constructor(options: Required<SqlReaderOptions>) {
    this.#options = options;
  }

  async read(texts: readonly SqlText[]): Promise<(SqlStatement[] | undefined)[]> {
    const length = texts.reduce((sum, { text }) => sum + text.length, 0);
    if (length > SQL_LENGTH_MAX) return texts.map(() => undefined);
    if (texts.length === 0) return [];
    if (this.#queue.size >= WAITING_MAX) throw busy(); // Q2
    const enteredMs = performance.now();
    return await this.#queue.run(async () => {
      if (performance.now() - enteredMs > this.#options.turnMs) throw busy();
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
    this.#thread ??= startThread(this.#options.program);
    const thread = await this.#thread.catch((cause: unknown) => {
      this.#thread = undefined;
      throw new Fault('dependency_unavailable', {
        detail: 'The thread that reads SQL does not start.',
        cause,
      });
    });
    this.#jobs += 1;
    const job = this.#jobs;
    const reply = nextMessage(thread, this.#options.readMs);
    thread.postMessage({ job, texts });
    const answer = answerSchema.safeParse(await reply.catch(() => undefined));
    if (answer.success && answer.data.job === job && answer.data.answers.length === texts.length)
      return answer.data.answers.map((one) => one ?? undefined);
    // Q1, Q3
    this.#thread = undefined;
    await thread.terminate();
    return texts.map(() => undefined);
  }
}

async function startThread(program: URL): Promise<Worker> {
  const thread = new Worker(program, {
    name: 'sql',
    // An agent chose what it parses, so it gets nothing of this process.
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEBIBYTES, stackSizeMb: STACK_MEBIBYTES },
  });
  // A waiting thread does not keep the process running. The job after a thread that failed starts another (Q3).
  thread.unref();
  thread.on('error', () => undefined);
  try {
    readySchema.parse(await nextMessage(thread, LOAD_MS));
    return thread;
  } catch (error) {
    await thread.terminate();
    throw error;
  }
}

/** Resolves with the thread's next message; rejects when it ends or sends none in time. */
function nextMessage(thread: Worker, limitMs: number): Promise<unknown> {
  const next = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => next.reject(new Error('The thread sent no message in time.')), limitMs);
  const onExit = () => next.reject(new Error('The thread ended.'));
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
