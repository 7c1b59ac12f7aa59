import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { DestinationStream, Logger } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { type CommonConfig, commonConfigSchema, type Environment, readConfig } from './config.ts';
import { withDeadline } from './deadline.ts';
import { type Health, HealthBoard, startHealthServer } from './health.ts';
import { loadKeyring, loadKeys } from './identity.ts';
import { createLog } from './log.ts';
import { standardOutput } from './log-output.ts';
import type { RunningService, ServiceContext, ServiceDefinition } from './service.ts';

/** How long services may take to drain: longer than most calls, shorter than supervisors wait (30 s). */
export const DRAIN_MS = 15_000;

/** Definitions with any configurations: each gets only what its own schema parsed. */
export type ServiceDefinitions = readonly ServiceDefinition<unknown>[];

export interface StartOptions {
  env: Environment;
  /** Aborted when the process is asked to stop: the services are not ready at once and take no new work. */
  stop: AbortSignal;
  clock?: Clock;
  /** Where the log goes; standard output when left out. */
  logStream?: DestinationStream;
}

/** Services that run together in this process. Disposing them drains each, last started first. */
export interface StartedServices extends AsyncDisposable {
  readonly services: readonly { name: string; url: string | undefined }[];
  readonly healthUrl: string;
}

/** One service with everything it needs, checked. */
interface CheckedService {
  definition: ServiceDefinition<unknown>;
  config: Readonly<unknown>;
  keys: ServiceKeys;
  log: Logger;
}

/** Everything the services of one process need, checked. */
interface CheckedProcess {
  common: CommonConfig;
  keyring: Keyring;
  clock: Clock;
  services: CheckedService[];
}

/**
 * Starts services in this process. Every configuration and key is read before the first of them starts.
 * Throws `configuration_invalid`; when a service cannot start, those before it are drained and its error
 * is thrown. Disposing rejects when the services did not drain within `DRAIN_MS`.
 */
export async function startServices(
  definitions: ServiceDefinitions,
  options: StartOptions,
): Promise<StartedServices> {
  const checked = await check(definitions, options);
  const disposing = new AbortController();
  const signal = AbortSignal.any([options.stop, disposing.signal]);
  await using resources = new AsyncDisposableStack();
  const board = new HealthBoard();
  let running = false;
  board.add('process', () => {
    if (signal.aborted) return 'the process is stopping';
    return running || 'the process is starting';
  });
  const health = resources.use(await startHealthServer(board, checked.common.INTERLOCK_HEALTH_ADDRESS));
  const services = [];
  for (const one of checked.services) {
    const { name } = one.definition;
    const own = checked.services.length === 1 ? board : board.part(name);
    const service = resources.use(await startService(one, checked, own, signal));
    services.push({ name, url: service.url });
  }
  running = true;
  const owned = resources.move();
  return {
    services,
    healthUrl: health.url,
    [Symbol.asyncDispose]: async () => {
      disposing.abort(new DOMException('The process is stopping.', 'AbortError'));
      await withDeadline(owned.disposeAsync(), DRAIN_MS, 'Draining the services');
    },
  };
}

/** Returns the service's name, or `interlock` when several share the process. */
export function processName(definitions: ServiceDefinitions): string {
  const [only, ...others] = definitions;
  return only !== undefined && others.length === 0 ? only.name : 'interlock';
}

async function check(definitions: ServiceDefinitions, options: StartOptions): Promise<CheckedProcess> {
  const { env, clock = systemClock, logStream: stream = standardOutput } = options;
  const common = readConfig(commonConfigSchema, env);
  const configured = definitions.map((definition) => ({
    definition,
    config: readConfig(definition.config, env),
  }));
  const keyring = await loadKeyring({
    keyringFile: common.INTERLOCK_KEYRING,
    rootKey: common.INTERLOCK_ROOT_KEY,
  });
  const services: CheckedService[] = [];
  for (const { definition, config } of configured) {
    const service = definition.name;
    const keys = await loadKeys(service, common.INTERLOCK_KEYS, keyring, clock.nowMs());
    const log = createLog({
      level: common.INTERLOCK_LOG_LEVEL,
      service,
      replica: common.INTERLOCK_REPLICA,
      stream,
    });
    services.push({ definition, config, keys, log });
  }
  return { common, keyring, clock, services };
}

function natsOf({
  NATS_URL: url,
  INTERLOCK_NATS_CA_FILE: caFile,
}: CommonConfig): ServiceContext<unknown>['nats'] {
  return caFile === undefined ? { url } : { url, caFile };
}

async function startService(
  { definition, config, keys, log }: CheckedService,
  { common, keyring, clock }: CheckedProcess,
  health: Health,
  signal: AbortSignal,
): Promise<RunningService> {
  return await definition.start({
    service: definition.name,
    replica: common.INTERLOCK_REPLICA,
    config,
    nats: natsOf(common),
    keys,
    keyring,
    log,
    clock,
    health,
    signal,
  });
}
