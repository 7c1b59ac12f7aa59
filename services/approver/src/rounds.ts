/**
 * Sees to it that every question goes on: it expires in time, and what a process left half done is completed.
 *
 * One loop sleeps until the next question is due. It knows the questions from the bucket's own watch, so it survives
 * restarts and any replica does it; doing it twice is harmless (`questions.ts`).
 */
import type { QuestionEntry } from '@interlock/contracts';
import { type Clock, type RepeatLog, repeat } from '@interlock/shell';
import { follow, type QuestionParts } from './questions.ts';

/** Whoever wrote a record publishes it within this; only then is it taken for left behind. */
const LEFT_BEHIND_MS = 2_000;
/** After a failure the question waits this long. */
const AGAIN_MS = 1_000;
/** Longer sleeps overflow timers, and a wall clock that was set forward is noticed within this. */
const SLEEP_MAX_MS = 10_000;
/** Questions followed at once: after a long outage many are due. */
const BATCH = 32;

export interface RoundsOptions extends QuestionParts {
  clock: Pick<Clock, 'nowMs' | 'sleep'>;
  log: RepeatLog;
}

export interface Rounds extends AsyncDisposable {
  /** Returns a question as it was last seen. */
  seen(key: string): QuestionEntry | undefined;
}

/** Starts the loop. Disposing it waits for what is under way. */
export async function startRounds(options: RoundsOptions): Promise<Rounds> {
  const { records, clock, log } = options;
  const due = new Map<string, number>();
  const entries = new Map<string, QuestionEntry>();
  const announced = new Set<string>();

  await using stack = new AsyncDisposableStack();
  const sweeping = stack.use(
    repeat({ clock, log, task: 'following up questions', waitMs: untilNextMs }, sweep),
  );
  const onEntry = (key: string, entry: QuestionEntry | undefined) => {
    const at = entry === undefined ? undefined : dueAt(entry, announced.has(key));
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
    if (entry?.state !== 'open') announced.delete(key);
    if (at === undefined) due.delete(key);
    else due.set(key, at);
    sweeping.wake();
  };
  stack.use(await records.watch(onEntry));

  async function followOne(key: string): Promise<void> {
    const entry = entries.get(key);
    try {
      await follow(options, key);
      // The watch may have told of its end already, and would not take the key out again.
      if (entries.get(key)?.state === 'open') announced.add(key);
      const at = entry === undefined ? undefined : dueAt(entry, true);
      // A record that moved on was seen by the watch; what stands as it was is looked at again at its next time.
      if (entries.get(key) !== entry) return;
      if (at === undefined) due.delete(key);
      else due.set(key, Math.max(at, clock.nowMs() + AGAIN_MS));
    } catch (error) {
      log.warn({ err: error }, 'a question could not be followed up');
      due.set(key, clock.nowMs() + AGAIN_MS);
    }
  }

  async function sweep(): Promise<void> {
    const now = clock.nowMs();
    const ready = [...due].filter(([, at]) => at <= now).slice(0, BATCH);
    await Promise.all(ready.map(([key]) => followOne(key)));
  }

  function untilNextMs(): number {
    const now = clock.nowMs();
    return [...due.values()].reduce((least, at) => Math.min(least, at - now), SLEEP_MAX_MS);
  }

  const owned = stack.move();
  return {
    seen: (key) => entries.get(key),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns when a question is to be looked at next, or undefined when it is done with. */
export function dueAt(entry: QuestionEntry, announced: boolean): number | undefined {
  const { state, question, sealed, resolvedAt } = entry;
  if (state === 'open') {
    const askedAgainAt = question.askedAt + LEFT_BEHIND_MS;
    return announced ? question.expiresAt : Math.min(askedAgainAt, question.expiresAt);
  }
  return sealed === undefined || resolvedAt === undefined ? undefined : resolvedAt + LEFT_BEHIND_MS;
}
