/**
 * Sweeps the questions: expires those whose time is over, and completes what a process did not finish.
 *
 * W1. The sweep knows the questions from the watch on their bucket, so every replica sweeps all of them, also after a
 *     restart.
 * W2. What a question waits for is an instant of its record, on the wall clock. What a failure waits for is on the monotonic
 *     clock: a wall clock that was ahead for a moment must not put a question off for as long as it was ahead.
 * W3. Two replicas may handle the same question: it is expired and published once all the same (`questions.ts`).
 */
import type { QuestionEntry } from '@interlock/contracts';
import { type Clock, type RepeatLog, repeat } from '@interlock/shell';
import { advance, CLOSED_KEPT_MS, type QuestionParts } from './questions.ts';

/** Whoever writes a record publishes it within this time; after it the record counts as not published. */
const UNPUBLISHED_MS = 2_000;
/** The wait before a question is handled again. */
const RETRY_MS = 1_000;
/** Longer waits overflow timers, and a wall clock that was set forward is noticed within this time. */
const SLEEP_MAX_MS = 10_000;
/** Questions handled at once: after a long outage many are due. */
const BATCH = 32;

export interface SweepOptions extends QuestionParts {
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  log: RepeatLog;
}

export interface Sweep extends AsyncDisposable {
  /** False while questions may be missing from it. */
  readonly current: boolean;
  /** True once the watch reported a question, until it is gone. */
  knows(key: string): boolean;
}

/** Starts the sweep. Disposing it waits for the questions under way. */
export async function startSweep(options: SweepOptions): Promise<Sweep> {
  const { records, shares, clock, log } = options;
  const due = new Map<string, number>();
  // W2
  const resting = new Map<string, number>();
  const entries = new Map<string, QuestionEntry>();
  const published = new Set<string>();

  await using stack = new AsyncDisposableStack();
  const sweeping = stack.use(
    repeat({ clock, log, task: 'sweeping the questions', waitMs: untilNextMs }, sweep),
  );
  const onEntry = (key: string, entry: QuestionEntry | undefined) => {
    const at = entry === undefined ? undefined : dueAt(entry, published.has(key));
    shares.note(key, entry);
    // Of what is closed and published nothing is needed but when it is removed.
    if (entry?.sealed === undefined) entries.delete(key);
    else entries.set(key, entry);
    if (entry?.state !== 'open') published.delete(key);
    resting.delete(key);
    if (at === undefined) due.delete(key);
    else due.set(key, at);
    sweeping.wake();
  };
  const watch = stack.use(await records.watch(onEntry));

  async function sweepOne(key: string): Promise<void> {
    const entry = entries.get(key);
    try {
      await advance(options, key);
      // A key of a question that was closed meanwhile would stay in the set for good.
      if (entries.get(key)?.state === 'open') published.add(key);
      const at = entry === undefined ? undefined : dueAt(entry, true);
      // The watch has set the next time of a record that changed.
      if (entries.get(key) !== entry) return;
      if (at === undefined) due.delete(key);
      else due.set(key, at);
      rest(key);
    } catch (error) {
      log.warn({ err: error, question: key }, 'a question was not handled; it is handled again in a second');
      rest(key);
    }
  }

  function rest(key: string): void {
    if (due.has(key)) resting.set(key, clock.monotonicMs() + RETRY_MS);
    else resting.delete(key);
  }

  /** Returns how long it is until a question is to be handled. */
  function waitOf(key: string, at: number): number {
    return Math.max(at - clock.nowMs(), (resting.get(key) ?? 0) - clock.monotonicMs());
  }

  async function sweep(): Promise<void> {
    const ready = [...due].filter(([key, at]) => waitOf(key, at) <= 0).slice(0, BATCH);
    await Promise.all(ready.map(([key]) => sweepOne(key)));
  }

  function untilNextMs(): number {
    return [...due].reduce((least, [key, at]) => Math.min(least, waitOf(key, at)), SLEEP_MAX_MS);
  }

  const owned = stack.move();
  return {
    get current() {
      return watch.current;
    },
    knows: (key) => due.has(key),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns when a question is to be handled next, or undefined when nothing is known of that. */
export function dueAt(entry: QuestionEntry, published: boolean): number | undefined {
  const { state, question, sealed, resolvedAt } = entry;
  if (state === 'open') {
    const unpublishedAt = question.askedAt + UNPUBLISHED_MS;
    return published ? question.expiresAt : Math.min(unpublishedAt, question.expiresAt);
  }
  if (resolvedAt === undefined) return undefined;
  return resolvedAt + (sealed === undefined ? CLOSED_KEPT_MS : UNPUBLISHED_MS);
}
