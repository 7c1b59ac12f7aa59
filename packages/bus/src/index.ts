export type {
  Blobs,
  Bus,
  BusClock,
  BusLog,
  BusOptions,
  ClaimNotice,
  Consumed,
  Delivery,
  Entries,
  Entry,
  EntryWatch,
  LedgerEntry,
  Next,
  Published,
  Records,
  RecordWatch,
  RefusedEntry,
  StepOptions,
  StoredRecord,
  StreamRecord,
  StreamState,
} from './bus.ts';
export { connectBus } from './connect.ts';
export { activeTraceparent, inTrace } from './envelope.ts';
export { connectObserver, type Observer, type Sighting } from './observer.ts';
export { connectProvisioner, type Provisioner } from './provisioner.ts';
export { accountName, grantsOf, natsServerConfig, type ServerConfigOptions } from './topology/accounts.ts';
export { type BusKey, createBusKeys, publicBusKey } from './topology/keys.ts';
