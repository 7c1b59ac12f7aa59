/**
 * The bus: everything a service may publish to and receive from the other services, typed by the lifecycle table.
 *
 * B1 Every publish on a call's subjects names the sequence it expects; `callFilter` alone spells the filter.
 * B2 A rejected publish means that the step is taken: the caller stops, and that is not an error.
 * B3 Absence proves nothing. A claim that was not acknowledged is published again, and known by its nonce.
 */
import type { ServiceName } from '@interlock/contracts';
import type { AuditStreams } from './audit-streams.ts';
import type { Buckets } from './buckets.ts';
import type { Ledger } from './ledger.ts';
import type { Peers } from './peers.ts';
import type { Steps } from './steps.ts';

/** One service's connection to the bus. Ask for the one of its parts that you need. */
export interface Bus extends Steps, Ledger, AuditStreams, Peers, Buckets, AsyncDisposable {
  readonly service: ServiceName;
  /** True while the NATS server can be reached and its clock agrees with this service's. */
  readonly connected: boolean;
  /** True, or why calls cannot go on: disconnected, the server is silent or cannot write, or the clocks differ. */
  readonly ready: true | string;
}
