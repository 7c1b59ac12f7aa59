import type { ServiceName } from '@interlock/contracts';
import type { Keyring, ServiceKeys } from '@interlock/keys';

/** Wall-clock and monotonic time, in milliseconds. */
export interface BusClock {
  nowMs(): number;
  monotonicMs(): number;
}

/** Where the bus logs what it handled itself. A pino logger fits. */
export interface BusLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What connects a service to the bus. */
export interface BusOptions {
  service: ServiceName;
  /** `nats://host:port`, several separated by commas. */
  url: string;
  keys: ServiceKeys;
  keyring: Keyring;
  clock: BusClock;
  log: BusLog;
}
