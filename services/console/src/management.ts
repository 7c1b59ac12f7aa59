import type { Bus, BusClock, BusLog } from '@interlock/bus';
import { type Control, type EntryBucket, type EntryValue, sha256 } from '@interlock/contracts';
import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { People } from './people.ts';

/** What every management act works with. */
export interface Management {
  readonly bus: Bus;
  readonly clock: BusClock & { sleep(ms: number, signal?: AbortSignal): Promise<void> };
  readonly log: BusLog;
  readonly keys: ServiceKeys;
  readonly keyring: Keyring;
  readonly people: People;
  /** Runs one act after the other: an act reads an entry, changes it and writes it back. */
  readonly inTurn: <T>(act: () => Promise<T>) => Promise<T>;
}

/** What is told of an act on CONTROL. */
export type Act = Pick<Control, 'kind' | 'verb' | 'tenant' | 'name' | 'by' | 'reason'>;

/** Makes the queue in which acts wait for each other. */
export function createTurns(): Management['inTurn'] {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = last.then(act, act);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Writes an entry, or its removal where the value is undefined, and then tells of it on CONTROL. */
export async function writeEntry<B extends EntryBucket>(
  { bus, clock }: { bus: Bus; clock: BusClock },
  entry: { bucket: B; key: string; value: EntryValue<B> | undefined },
  act: Act,
): Promise<void> {
  const entries = bus.entries(entry.bucket);
  const signed =
    entry.value === undefined ? await entries.remove(entry.key) : await entries.put(entry.key, entry.value);
  const told = entry.bucket === 'policies' ? { entry: signed } : {};
  await bus.control({ ...act, at: clock.nowMs(), entryDigest: sha256(signed), ...told });
}
