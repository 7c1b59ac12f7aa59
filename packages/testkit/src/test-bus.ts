import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type Bus, connectBus, connectProvisioner, createBusKeys, natsServerConfig } from '@interlock/bus';
import { type ServiceName, services } from '@interlock/contracts';
import { authorKeySchema, type Keyring, type ServiceKeys, type SigningKey } from '@interlock/keys';
import {
  createIdentities,
  createOperator,
  type Environment,
  loadKeyring,
  loadKeys,
  type ServiceDefinitions,
  type StartedServices,
  startServices,
  systemClock,
  writeIdentities,
} from '@interlock/shell';
import { type NatsServer, startNats } from './nats.ts';

const HOUR_MS = 3_600_000;

/** A log that keeps nothing. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A provisioned bus with an account for each service, and a way to start services on it in this process. */
export interface TestBus extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly keyring: Keyring;
  /** Environment variables every service needs. */
  readonly env: Environment;
  /** The folder with the key files and `broker.kek.json`. */
  readonly keysFolder: string;
  /** Returns what stands in a service's key file. */
  keysOf(service: ServiceName): Promise<ServiceKeys>;
  /** Returns the key of the author of policy, which signs bundles. */
  authorKey(): Promise<SigningKey>;
  /** Connects as one service. The connection closes with the test bus. */
  busOf(service: ServiceName): Promise<Bus>;
  /** Starts services in this process, with variables of their own laid over `env`. They drain with the test bus. */
  start(definitions: ServiceDefinitions, env?: Environment): Promise<StartedServices>;
}

/** How large streams are, in bytes, where that is not the default. */
export interface StreamSizes {
  ledgerMaxBytes?: number;
  approvalsMaxBytes?: number;
  anchorsMaxBytes?: number;
}

/** Starts a real NATS server with accounts, streams and consumers made from the lifecycle table. */
export async function startTestBus(sizes: StreamSizes = {}): Promise<TestBus> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'interlock-test-bus-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const busKeys = createBusKeys();
  const publicKeys = mapServices((service) => busKeys[service].publicKey);
  const operator = createOperator();
  const nowMs = Date.now();
  const seeds = mapServices((service) => busKeys[service].seed);
  await writeIdentities(folder, createIdentities(operator, { seeds, nowMs, notAfterMs: nowMs + HOUR_MS }));
  await writeFile(join(folder, 'call-id.key'), Buffer.alloc(32, 7).toString('base64url'), { mode: 0o600 });
  const nats = stack.use(
    await startNats({
      configText: (storeDir, port) => natsServerConfig({ host: '127.0.0.1', port, storeDir, publicKeys }),
    }),
  );
  const keyring = await loadKeyring({ keyringFile: join(folder, 'keyring.jws'), rootKey: operator.rootKey });
  const keysOf = (service: ServiceName) => loadKeys(service, folder, keyring, Date.now());
  const provisioner = await connectProvisioner({
    nats,
    seed: (await keysOf('provisioner')).busSeed,
    log: silent,
    replicas: 1,
    ...sizes,
  });
  await provisioner.provision();
  await provisioner[Symbol.asyncDispose]();
  const env = {
    NATS_URL: nats.url,
    INTERLOCK_KEYS: folder,
    INTERLOCK_KEYRING: join(folder, 'keyring.jws'),
    INTERLOCK_ROOT_KEY: operator.rootKey,
    INTERLOCK_KEK_FILE: join(folder, 'broker.kek.json'),
    INTERLOCK_CALL_ID_KEY_FILE: join(folder, 'call-id.key'),
  };
  const owned = stack.move();
  return {
    nats,
    keyring,
    env,
    keysFolder: folder,
    keysOf,
    authorKey: async () => {
      const text = await readFile(join(folder, 'author.json'), 'utf8');
      return authorKeySchema.parse(JSON.parse(text)).sign;
    },
    busOf: async (service) =>
      owned.use(
        await connectBus({
          service,
          nats,
          keys: await keysOf(service),
          keyring,
          clock: systemClock,
          log: silent,
        }),
      ),
    start: async (definitions, extra = {}) =>
      owned.use(
        await startServices(definitions, {
          env: { ...env, ...extra },
          stop: new AbortController().signal,
          logStream: nowhere(),
        }),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function mapServices<T>(of: (service: ServiceName) => T): Record<ServiceName, T> {
  return Object.fromEntries(services.map((service) => [service, of(service)])) as Record<ServiceName, T>;
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
