/** Steady traffic, for tests of what callers must not notice. */
import { newId } from '@interlock/contracts';
import type { HttpAnswer } from './http.ts';
import type { Line } from './line.ts';

/** So many agents call at once, each again as soon as it is answered. */
const CALLERS = 4;

/** One call that was answered. */
export interface Flown {
  text: string;
  /** What the test said was in force before the call was sent. */
  mark: number;
  answer: HttpAnswer;
}

export interface Traffic {
  /** Calls answered so far. */
  readonly flown: readonly Flown[];
  /** Resolves when so many more calls were answered. */
  pass(calls: number): Promise<void>;
  /** Ends the traffic and returns every call. A call whose connection broke rejects. */
  stop(): Promise<readonly Flown[]>;
}

/** Starts traffic on `write`; `mark` is read before each call. */
export function startTraffic(line: Line, mark: () => number = () => 0): Traffic {
  const flown: Flown[] = [];
  const waiting = new Set<() => void>();
  let stopped = false;
  const caller = async (): Promise<void> => {
    while (!stopped) {
      const text = newId('text');
      const before = mark();
      const answer = await line.call('write', { text });
      flown.push({ text, mark: before, answer });
      for (const wake of waiting) wake();
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, caller));
  // A broken call rejects when the traffic is stopped.
  callers.catch(() => waiting.forEach((wake) => void wake()));
  return {
    flown,
    pass: async (calls) => {
      const enough = flown.length + calls;
      const passed = Promise.withResolvers<void>();
      const wake = () => flown.length >= enough && passed.resolve();
      waiting.add(wake);
      await Promise.race([passed.promise, callers]);
      waiting.delete(wake);
    },
    stop: async () => {
      stopped = true;
      await callers;
      return flown;
    },
  };
}
