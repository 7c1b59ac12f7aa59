/** The bus as the approver of one call has it, where any write may be the last one before the process is killed. */
import type { Buckets, Records, Steps } from '@interlock/bus';
import { type QuestionEntry, questionEntrySchema } from '@interlock/contracts';

export interface MortalStore {
  records: Records<QuestionEntry>;
  bus: Pick<Steps, 'publish'>;
  /** What the bus says it stored, in order. */
  published: { step: string; body: object }[];
  /**
   * Fails every write from the given one on (1 is the next), before or after it is stored: a process that is killed.
   * Resolves once that write was reached.
   */
  killAt(write: number, when: 'before' | 'after'): Promise<void>;
  /** Lets writes through again: the process was started anew. */
  revive(): void;
}

/** Returns the records and the publishing of a bus; watches tell of one key, so that tests may share a bucket. */
export function mortalStore(bus: Steps & Buckets, ownKey: string): MortalStore {
  const records = bus.records('questions', questionEntrySchema);
  const published: MortalStore['published'] = [];
  let left = Number.POSITIVE_INFINITY;
  let killedWhen: 'before' | 'after' = 'before';
  let reached = Promise.withResolvers<void>();

  async function write<T>(store: () => Promise<T>): Promise<T> {
    left -= 1;
    const isLast = left === 0;
    if (left < 0 || (isLast && killedWhen === 'before')) {
      reached.resolve();
      throw new Error('killed');
    }
    const answer = await store();
    if (isLast) {
      reached.resolve();
      throw new Error('killed');
    }
    return answer;
  }

  return {
    published,
    records: {
      ...records,
      put: (key, value, revision) => write(() => records.put(key, value, revision)),
      watch: (listener) =>
        records.watch((key, value) => {
          if (key === ownKey) listener(key, value);
        }),
    },
    bus: {
      publish: (step, address, body, expected) =>
        write(async () => {
          const answer = await bus.publish(step, address, body, expected);
          if (answer.stored) published.push({ step, body });
          return answer;
        }),
    },
    killAt(nth, when) {
      left = nth;
      killedWhen = when;
      reached = Promise.withResolvers();
      return reached.promise;
    },
    revive() {
      left = Number.POSITIVE_INFINITY;
    },
  };
}
