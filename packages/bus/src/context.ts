import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { Connection } from './connection.ts';
import type { BusOptions } from './options.ts';
import type { Pulse } from './pulse.ts';

/** What every part of the bus works with. */
export interface BusContext extends Pick<BusOptions, 'keys' | 'keyring' | 'clock' | 'log'> {
  connection: Connection;
  pulse: Pulse;
  js: JetStreamClient;
  jsm: JetStreamManager;
  /** Reads calls from the leader, with a deadline of its own. */
  reader: JetStreamManager;
  /** CloudEvents `source` of everything this service publishes. */
  source: string;
}
