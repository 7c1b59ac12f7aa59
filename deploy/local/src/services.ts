/** The services of an installation as processes: how each is started. */
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ServiceName, services } from '@interlock/contracts';
import { type Environment, readIfPresent } from '@interlock/shell';
import type { Identities } from './identities.ts';
import { dataFiles } from './installation-files.ts';
import type { Ports } from './ports.ts';
import { searchPath } from './search-path.ts';
import type { Servers } from './servers.ts';
import { variablesOf } from './service-variables.ts';
import { INHERITED_FD, type ProcessSpec, type Ready, type SupervisedProcess } from './supervise.ts';

const HOST = '127.0.0.1';
/**
 * Small heaps: events live for milliseconds. A young generation of 3 × 4 MiB, and an old one that is collected when it
 * has grown by a fifth, keep a service near 150 MB under load, and collecting costs time (docs/decisions/028).
 */
const NODE_FLAGS = ['--max-semi-space-size=4', '--heap-growing-percent=20'];
/** For glibc: few arenas, and freed memory goes back to the system. Other libraries ignore it. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '1048576' };
/** The audit may lag behind: what a call waits for comes first where processors are short. */
const LOW_PRIORITY: ReadonlySet<string> = new Set<ServiceName>(['auditor']);
/** The composition root: the services it is given as arguments, in one process. */
const ONE_PROCESS = fileURLToPath(new URL('./one-process.ts', import.meta.url));
/** The name of the process that runs all services. */
export const SINGLE = 'interlock';

export interface ServiceSpecOptions {
  data: string;
  /** The number of the socket that agents connect to. */
  ingressFd: number;
  ports: Ports;
  servers: Servers;
  identities: Identities;
  env: Environment;
  single: boolean;
  /** Processes of a service, where it is not one. */
  replicas: Readonly<Partial<Record<ServiceName, number>>>;
  /** Variables for one service's processes. */
  serviceEnv: Readonly<Partial<Record<ServiceName, Environment>>>;
}

/** Returns how each process of the installation is started, the provisioner first. */
export async function serviceSpecs(options: ServiceSpecOptions): Promise<ProcessSpec[]> {
  const env = await serviceEnvironment(options);
  const specOf = (
    name: string,
    { runs, args, own = {} }: { runs: readonly ServiceName[]; args: readonly string[]; own?: Environment },
    door: Pick<ProcessSpec, 'inherits' | 'overlaps'> = {},
  ): ProcessSpec => ({
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, ...args],
    env: { ...variablesOf(runs, env), ...own },
    cwd: options.data,
    logFile: path.join(dataFiles(options.data).logs, `${name}.log`),
    reportsReady: true,
    lowPriority: LOW_PRIORITY.has(name),
    ...door,
  });
  const inherits = options.ingressFd;
  if (options.single)
    return [specOf(SINGLE, { runs: services, args: [ONE_PROCESS, ...services] }, { inherits })];
  const ordered: ServiceName[] = ['provisioner', ...services.filter((name) => name !== 'provisioner')];
  return ordered.flatMap((name) => {
    const module = fileURLToPath(import.meta.resolve(`@interlock/${name}`));
    const count = options.replicas[name] ?? 1;
    const own = options.serviceEnv[name] ?? {};
    const runs = [name];
    return Array.from({ length: count }, (_, index) =>
      // Only the first replica has the address that is remembered; the others take a free one.
      index === 0
        ? specOf(name, { runs, args: [module], own }, name === 'ingress' ? { inherits, overlaps: true } : {})
        : specOf(`${name}-${index + 1}`, {
            runs,
            args: [module],
            own: { ...variablesOf(runs, FREE_ADDRESSES), ...own },
          }),
    );
  });
}

/** Returns the services that have started, by the names their processes go by. */
export function servicesOf(children: readonly SupervisedProcess[]): Ready[] {
  return children.flatMap(({ name, ready }) =>
    ready.map((one) => (name === SINGLE ? one : { ...one, service: name })),
  );
}

const FREE_ADDRESSES: Environment = {
  INTERLOCK_INGRESS_ADDRESS: `${HOST}:0`,
  INTERLOCK_INGRESS_FD: '',
  INTERLOCK_CONSOLE_ADDRESS: `${HOST}:0`,
};

async function serviceEnvironment(options: ServiceSpecOptions): Promise<Environment> {
  const { data, ports, servers, identities, env } = options;
  const files = dataFiles(data);
  const token = ((await readIfPresent(files.traceToken)) ?? '').trim();
  return {
    ...ALLOCATOR,
    ...env,
    PATH: searchPath(env),
    // Compiled once for all processes and starts; a process then needs no compiler for types in memory.
    NODE_COMPILE_CACHE: compileCacheOf(env),
    NATS_URL: servers.natsUrl,
    REDIS_URL: servers.redisUrl,
    ...(servers.redisPasswordFile === undefined
      ? {}
      : { INTERLOCK_REDIS_PASSWORD_FILE: servers.redisPasswordFile }),
    MONGODB_URL: servers.mongodbUrl,
    INTERLOCK_KEYS: files.keys,
    INTERLOCK_KEYRING: files.keyring,
    INTERLOCK_ROOT_KEY: identities.rootKey,
    INTERLOCK_KEK_FILE: files.kek,
    INTERLOCK_CALL_ID_KEY_FILE: files.callIdKey,
    INTERLOCK_TRACE_TOKEN_FILE: files.traceToken,
    INTERLOCK_PEOPLE_FILE: files.people,
    INTERLOCK_EXECUTOR_COMMANDS: files.commands,
    INTERLOCK_INGRESS_ADDRESS: `${HOST}:${ports.ingress}`,
    INTERLOCK_INGRESS_FD: String(INHERITED_FD),
    INTERLOCK_CONSOLE_ADDRESS: `${HOST}:${ports.console}`,
    INTERLOCK_HEALTH_ADDRESS: `${HOST}:0`,
    INTERLOCK_EXIT_WITH_PARENT: '1',
    ...traceEnvironment(env, ports, token),
  };
}

/** Returns the user's folder of compiled modules: NODE_COMPILE_CACHE, else below the user's caches. */
function compileCacheOf({ NODE_COMPILE_CACHE, XDG_CACHE_HOME }: Environment): string {
  const caches = XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return NODE_COMPILE_CACHE || path.join(caches, 'interlock', 'compile-cache');
}

/** Spans go to the console, unless the operator has a collector. */
function traceEnvironment(env: Environment, ports: Ports, token: string): Environment {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, INTERLOCK_TRACES } = env;
  const hasCollector =
    OTEL_EXPORTER_OTLP_ENDPOINT !== undefined || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined;
  if (hasCollector || INTERLOCK_TRACES === 'off') return {};
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${HOST}:${ports.console}/otlp`,
    OTEL_EXPORTER_OTLP_HEADERS: `interlock-trace-token=${token}`,
  };
}
