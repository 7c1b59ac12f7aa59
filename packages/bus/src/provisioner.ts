/** The provisioner's part of the bus: it alone joins the account that holds the streams. */
import type { Secret } from '@interlock/keys';
import { jetstreamManager } from '@nats-io/jetstream';
import { openConnection } from './connection.ts';
import type { BusLog, NatsAddress } from './options.ts';
import { type ProvisionOptions, provision, repairLine } from './topology/streams.ts';

const API_TIMEOUT_MS = 10_000;

export interface Provisioner extends AsyncDisposable {
  readonly connected: boolean;
  /** Makes every stream, consumer and bucket that is missing. Returns the names of those it made. */
  provision(): Promise<string[]>;
  /** Makes the line again where it was lost; no other stream is made again while the services run. */
  repairLine(): Promise<string[]>;
}

/** Connects as the provisioner. */
export async function connectProvisioner({
  nats: server,
  seed,
  log,
  ...options
}: ProvisionOptions & { nats: NatsAddress; seed: Secret; log: BusLog }): Promise<Provisioner> {
  const connection = await openConnection({ service: 'provisioner', server, seed: seed.reveal(), log });
  const jsm = await jetstreamManager(connection.nats, { timeout: API_TIMEOUT_MS, checkAPI: false });
  return {
    get connected() {
      return connection.connected;
    },
    provision: () => provision(connection.nats, jsm, options),
    repairLine: () => repairLine(jsm, options),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
