/** The two promises of the bus a question rests on, kept in memory: revisions, and the expected sequence 0. */
import type { Bus, Records } from '@interlock/bus';
import type { QuestionEntry } from '@interlock/contracts';

export interface StoreUnderTest {
  records: Records<QuestionEntry>;
  bus: Pick<Bus, 'publish'>;
  /** What was stored, by step and call. */
  published: { step: string; body: object }[];
  /** Fails every write from the given one on (1 is the next), before or after it is stored: a process that is killed. */
  killAt(write: number, when: 'before' | 'after'): void;
  /** Lets writes through again: the process was started anew. */
  revive(): void;
}

export function storeUnderTest(): StoreUnderTest {
  const stored = new Map<string, { value: QuestionEntry; revision: number }>();
  const published: { step: string; body: object }[] = [];
  const listeners = new Set<(key: string, value: QuestionEntry | undefined) => void>();
  let left = Number.POSITIVE_INFINITY;
  let killedWhen: 'before' | 'after' = 'before';

  function write<T>(store: () => T): T {
    left -= 1;
    if (left < 0 || (left === 0 && killedWhen === 'before')) throw new Error('killed');
    const answer = store();
    if (left === 0) throw new Error('killed');
    return answer;
  }

  return {
    published,
    records: {
      get: async (key) => stored.get(key),
      list: async () => [...stored].map(([key, record]) => ({ key, ...record })),
      put: async (key, value, revision) =>
        write(() => {
          if ((stored.get(key)?.revision ?? 0) !== revision) return undefined;
          stored.set(key, { value, revision: revision + 1 });
          for (const listener of listeners) listener(key, value);
          return revision + 1;
        }),
      async watch(listener) {
        listeners.add(listener);
        for (const [key, { value }] of stored) listener(key, value);
        return {
          async [Symbol.asyncDispose]() {
            listeners.delete(listener);
          },
        };
      },
    },
    bus: {
      publish: async (step, { call }, body) =>
        write(() => {
          const taken = published.some((one) => one.step === step && Reflect.get(one.body, 'call') === call);
          const asked = published.some(
            (one) => one.step === step && step === 'asked' && JSON.stringify(one.body).includes(call),
          );
          if (taken || asked) return { stored: false };
          published.push({ step, body });
          return { stored: true, sequence: published.length };
        }),
    },
    killAt(nth, when) {
      left = nth;
      killedWhen = when;
    },
    revive() {
      left = Number.POSITIVE_INFINITY;
    },
  };
}
