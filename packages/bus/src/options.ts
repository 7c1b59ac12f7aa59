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

/** Where NATS is. */
export interface NatsAddress {
  /** `nats://host:port` or `tls://host:port`, several of one kind separated by commas. With `tls://` nothing is sent in clear. */
  url: string;
  /** A PEM file with the authorities that certify the servers; without it, those that Node trusts. Only for `tls://`. */
  caFile?: string;
}

/** What connects a service to the bus. */
export interface BusOptions {
  service: ServiceName;
  nats: NatsAddress;
  keys: ServiceKeys;
  keyring: Keyring;
  clock: BusClock;
  log: BusLog;
}
