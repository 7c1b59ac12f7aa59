/**
 * A task that runs again and again until it is disposed of.
 *
 * R1. One run at a time. Disposal ends the wait or waits for the run under way, and no other run follows.
 * R2. No wake is lost: after a wake a run starts that sees what was there before it.
 * R3. A run that fails is followed by another. Of failures in a row the first is logged, and the recovery.
 */
import type { Clock } from './clock.ts';

export interface RepeatOptions {
  clock: Pick<Clock, 'sleep'>;
  log: RepeatLog;
  /** What the task does, for the log: "purging the ledger". */
  task: string;
  /** The wait after a run. A function is called after each run. */
  waitMs: number | (() => number);
  /** The wait before the first run. */
  firstWaitMs?: number;
}

export interface RepeatLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface Repeating extends AsyncDisposable {
  /** Ends the wait: the next run starts now, or as soon as the run under way has ended. */
  wake(): void;
  /** Lets no other run start, and does not wait for the run under way. */
  stop(): void;
}

/** Starts a task. `run` is given a signal that is aborted when the task is stopped. */
export function repeat(options: RepeatOptions, run: (stopped: AbortSignal) => Promise<unknown>): Repeating {
  const { clock, log, task, waitMs, firstWaitMs = 0 } = options;
  const stopping = new AbortController();
  let waiting = new AbortController();
  let failures = 0;

  async function runOnce(): Promise<void> {
    try {
      await run(stopping.signal);
      if (failures > 0) log.info({ failures }, `${task} works again`);
      failures = 0;
    } catch (err) {
      // A run that is stopped may end by throwing, which says nothing about the task.
      if (stopping.signal.aborted) return;
      failures += 1;
      if (failures === 1) log.warn({ err }, `${task} failed and is repeated until it works`);
    }
  }

  async function wait(ms: number): Promise<void> {
    if (ms > 0) await clock.sleep(ms, waiting.signal).catch(() => undefined);
  }

  async function loop(): Promise<void> {
    await wait(firstWaitMs);
    while (!stopping.signal.aborted) {
      // Renewed before the run, so that a wake during the run ends the wait after it (R2).
      waiting = new AbortController();
      await runOnce();
      if (!stopping.signal.aborted) await wait(typeof waitMs === 'number' ? waitMs : waitMs());
    }
  }

  const stop = () => {
    stopping.abort();
    waiting.abort();
  };
  const running = loop();
  return {
    wake: () => waiting.abort(),
    stop,
    [Symbol.asyncDispose]: async () => {
      stop();
      await running;
    },
  };
}
