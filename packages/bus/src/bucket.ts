import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { BusLog } from './bus.ts';
import type { Connection } from './connection.ts';

/** What reading and writing buckets needs. */
export interface BucketContext {
  connection: Connection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  log: BusLog;
}
