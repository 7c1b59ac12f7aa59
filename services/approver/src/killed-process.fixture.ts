/** The bus as one approver uses it, where any write can be the last one before its process is killed. */
import type { Buckets, Records, Steps } from '@interlock/bus';
import { type QuestionEntry, questionEntrySchema } from '@interlock/contracts';

export interface KillableStore {
  records: Records<QuestionEntry>;
  bus: Pick<Steps, 'publish'>;
  /** The events that the bus stored, in order. */
  published: { step: string; body: object }[];
  /**
   * Fails every write from the given one on (1 is the next), before or after it is stored, as if the process were
   * killed. Resolves when that write is reached.
   */
  killAt(write: number, when: 'before' | 'after'): Promise<void>;
  /** Lets writes succeed again: the process was started again. */
  restart(): void;
}

/** Returns the records and the publishing of a bus. Watches report one key, so that tests may share a bucket. */
export function killableStore(bus: Steps & Buckets, ownKey: string): KillableStore {
  const records = bus.records('questions', questionEntrySchema);
  const published: KillableStore['published'] = [];
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
    const result = await store();
    if (isLast) {
      reached.resolve();
      throw new Error('killed');
    }
    return result;
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
          const result = await bus.publish(step, address, body, expected);
          if (result.stored) published.push({ step, body });
          return result;
        }),
    },
    killAt(nth, when) {
      left = nth;
      killedWhen = when;
      reached = Promise.withResolvers();
      return reached.promise;
    },
    restart() {
      left = Number.POSITIVE_INFINITY;
    },
  };
}
