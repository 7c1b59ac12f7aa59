import type { Bus, BusClock, BusLog } from '@interlock/bus';
import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { People } from './people.ts';

/** What every management operation works with. */
export interface Management {
  readonly bus: Bus;
  readonly clock: BusClock & { sleep(ms: number, signal?: AbortSignal): Promise<void> };
  readonly log: BusLog;
  readonly keys: ServiceKeys;
  readonly keyring: Keyring;
  readonly people: People;
  /** Runs one operation after the other: each reads an entry, changes it and writes it back. */
  readonly inTurn: <T>(operation: () => Promise<T>) => Promise<T>;
}
