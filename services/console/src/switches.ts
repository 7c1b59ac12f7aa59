/**
 * Setting kill switches, also while nothing can be stored.
 *
 * K1. A switch is sent to every service that acts on it first, and stored after that. What was sent is in force.
 * K2. What could not be stored or recorded is sent and stored again until that succeeds, or another setting of the same
 *     switch takes its place. The person is told that it is not stored: until then it does not survive this process.
 */
import type { AuditStreams, Buckets, BusClock } from '@interlock/bus';
import type { SwitchEntry } from '@interlock/contracts';
import { type Clock, Queue, type RepeatLog, repeat } from '@interlock/shell';
import { type Operation, writeEntry } from './write-entry.ts';

/** A service that starts meanwhile learns of the switch within this time. */
const AGAIN_MS = 1_000;

/** A kill switch as it is in force, and whether it is stored. */
export interface SetSwitch extends SwitchEntry {
  key: string;
  stored: boolean;
}

export interface Switches extends AsyncDisposable {
  /** Sets a switch. Throws `dependency_unavailable` when it was neither sent nor stored. */
  set(key: string, value: SwitchEntry, operation: Operation): Promise<SetSwitch>;
  /** Returns the switches that are on. */
  listOn(): Promise<SetSwitch[]>;
}

export interface SwitchesOptions {
  bus: Buckets & AuditStreams;
  clock: BusClock & Pick<Clock, 'sleep'>;
  log: RepeatLog;
}

/** Starts storing what could not be stored, until disposed. */
export function openSwitches(options: SwitchesOptions): Switches {
  const entries = options.bus.entries('switches');
  const waiting = new Map<string, { value: SwitchEntry; operation: Operation }>();
  const queue = new Queue();

  /** Returns whether the switch is stored and the operation recorded. */
  async function store(key: string, value: SwitchEntry, operation: Operation): Promise<boolean> {
    // K1
    const sent = await entries.announce(key, value).then(
      () => true,
      () => false,
    );
    try {
      await writeEntry(options, { bucket: 'switches', key, value }, operation);
      return true;
    } catch (fault) {
      if (!sent) throw fault;
      options.log.warn(
        { err: fault, key },
        'a kill switch is in force and not stored; it is stored when that is possible',
      );
      return false;
    }
  }

  const again = repeat(
    { ...options, task: 'storing kill switches', waitMs: AGAIN_MS, firstWaitMs: AGAIN_MS },
    () =>
      queue.run(async () => {
        // K2
        for (const [key, { value, operation }] of waiting)
          if (await store(key, value, operation)) waiting.delete(key);
      }),
  );
  return {
    set: (key, value, operation) =>
      queue.run(async () => {
        const stored = await store(key, value, operation);
        if (stored) waiting.delete(key);
        else waiting.set(key, { value, operation });
        return { key, ...value, stored };
      }),
    async listOn() {
      const listed = (await entries.list()).map(({ key, value }) => ({ key, ...value, stored: true }));
      const unstored = [...waiting].map(([key, { value }]) => ({ key, ...value, stored: false }));
      return [...listed.filter(({ key }) => !waiting.has(key)), ...unstored].filter(({ on }) => on);
    },
    [Symbol.asyncDispose]: () => again[Symbol.asyncDispose](),
  };
}
