/** The provisioner's part of the bus: it alone joins the account that holds the streams. */
import { type StoreHealth, storesSubject } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { openConnection } from './connection.ts';
import type { BusLog, NatsAddress } from './options.ts';
import { PROBES, probeStores, type StoreProbe } from './topology/probe.ts';
import {
  makeProbesAgain,
  type ProvisionOptions,
  provision,
  repairLine,
  usedShares,
} from './topology/streams.ts';

const API_TIMEOUT_MS = 10_000;

export interface Provisioner extends AsyncDisposable {
  readonly connected: boolean;
  /** Makes every stream, consumer and bucket that is missing. Returns the names of those it made. */
  provision(): Promise<string[]>;
  /** Makes the line again where it was lost; no other stream is made again while the services run. */
  repairLine(): Promise<string[]>;
  /** Returns the used share of the size of each stream, by name, and of each bucket as `KV_<name>`. */
  used(): Promise<Map<string, number>>;
  /** Finds out which streams the server cannot write, and tells every service. */
  probe(): Promise<StoreProbe>;
}

/** Connects as the provisioner. */
export async function connectProvisioner({
  nats: server,
  seed,
  log,
  ...options
}: ProvisionOptions & { nats: NatsAddress; seed: Secret; log: BusLog }): Promise<Provisioner> {
  const connection = await openConnection({ service: 'provisioner', server, seed: seed.reveal(), log });
  const { nats } = connection;
  const jsm = await jetstreamManager(nats, { timeout: API_TIMEOUT_MS, checkAPI: false });
  const js = jetstream(nats);
  return {
    get connected() {
      return connection.connected;
    },
    provision: () => provision(nats, jsm, options),
    repairLine: () => repairLine(jsm, options),
    used: () => usedShares(jsm),
    probe: async () => {
      const { unwritable, reported } = await probeStores({ nats, js });
      nats.publish(storesSubject, JSON.stringify({ unwritable } satisfies StoreHealth));
      // On a disk that is still full it cannot be made; the next probe finds that out.
      if (isOnlyTheProbes(unwritable)) await makeProbesAgain(nats, jsm, options).catch(() => undefined);
      return { unwritable, reported: reported.filter((name) => name !== PROBES) };
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** True when only the probe did not get through: made again, its bucket shows whether there is room. */
function isOnlyTheProbes(unwritable: StoreHealth['unwritable']): boolean {
  const names = Object.keys(unwritable);
  return names.length === 1 && names[0] === PROBES;
}
