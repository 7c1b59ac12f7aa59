/** The services of a house as processes: what each is started with, and when it is ready. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileCacheOf, dataFiles, readIfThere } from '@interlock/cli';
import { type ServiceName, services } from '@interlock/contracts';
import { type Environment, Failure, systemClock } from '@interlock/shell';
import type { Identities } from './identities.ts';
import type { Ports } from './ports.ts';
import type { Servers } from './servers.ts';
import { endOfLog, type ProcessPlan, type Ready, type SupervisedProcess } from './supervise.ts';

/** Who ended as often as this without having started will not start: its configuration is wrong. */
const STARTS_MAX = 3;
/** A slow machine loads a service in seconds; the first start also makes every stream. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const PROBE_TIMEOUT_MS = 2_000;
const HOST = '127.0.0.1';
/**
 * Small heaps: events live for milliseconds. A young generation of 3 × 4 MiB, and an old one that is collected when
 * it has grown by a fifth, keep a service below 150 MB under load; collecting costs a few per cent of its time.
 */
const NODE_FLAGS = ['--max-semi-space-size=4', '--heap-growing-percent=20'];
/** For glibc: few arenas, and freed memory goes back to the system. Other libraries read past it. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '1048576' };
/** The record may lag behind: what a call waits for comes first where processors are short. */
const YIELDING: ReadonlySet<string> = new Set<ServiceName>(['auditor']);
/** Programs of npm packages beside this one, such as MCP servers. */
const PROGRAMS = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));
/** In one process, all services go by this name. */
export const SINGLE = 'interlock';

export interface HouseOptions {
  data: string;
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

/** Returns how each process of the house is started, the provisioner first. */
export async function planHouse(options: HouseOptions): Promise<ProcessPlan[]> {
  const env = await houseEnvironment(options);
  const planned = (name: string, module: string, own: Environment = {}): ProcessPlan => ({
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, module],
    env: { ...env, ...own },
    cwd: options.data,
    logFile: path.join(dataFiles(options.data).logs, `${name}.log`),
    speaks: true,
    yields: YIELDING.has(name),
  });
  if (options.single) return [planned(SINGLE, fileURLToPath(new URL('./one-process.ts', import.meta.url)))];
  const ordered: ServiceName[] = ['provisioner', ...services.filter((name) => name !== 'provisioner')];
  return ordered.flatMap((name) => {
    const module = fileURLToPath(import.meta.resolve(`@interlock/${name}`));
    const count = options.replicas[name] ?? 1;
    return Array.from({ length: count }, (_, index) =>
      // Only the first replica has the address that is remembered; the others take a free one.
      index === 0
        ? planned(name, module, options.serviceEnv[name])
        : planned(`${name}-${index + 1}`, module, { ...freeAddresses(), ...options.serviceEnv[name] }),
    );
  });
}

/** Waits until a process says that every service in it has started. Throws `service_failed` with the end of its log. */
export async function untilStarted(child: SupervisedProcess, signal: AbortSignal): Promise<void> {
  const expected = child.name === SINGLE ? services.length : 1;
  const endMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  while (child.ready.length < expected) {
    signal.throwIfAborted();
    if (child.lives > STARTS_MAX) throw await serviceFailed(child, child.lastEnd);
    if (systemClock.monotonicMs() > endMs) throw await serviceFailed(child, 'does not start');
    await systemClock.sleep(POLL_MS, signal);
  }
}

/** Waits until every process answers its readiness probe with yes. Throws `service_failed`. */
export async function untilReady(children: readonly SupervisedProcess[], signal: AbortSignal): Promise<void> {
  const endMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  await Promise.all(
    children.map(async (child) => {
      while (!(await isReady(child))) {
        signal.throwIfAborted();
        if (systemClock.monotonicMs() > endMs) throw await serviceFailed(child, 'is not ready');
        await systemClock.sleep(POLL_MS, signal);
      }
    }),
  );
}

async function isReady(child: SupervisedProcess): Promise<boolean> {
  const [first] = child.ready;
  if (first === undefined) return false;
  try {
    const response = await fetch(new URL('/readyz', first.healthUrl), {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function serviceFailed(child: SupervisedProcess, how: string): Promise<Failure> {
  const [first] = child.ready;
  const where = first === undefined ? '' : ` See ${new URL('/readyz', first.healthUrl)}.`;
  return new Failure(
    'service_failed',
    `${child.name} ${how}. The end of its log:\n  ${await endOfLog(child.plan)}`,
    {
      next: `Its log is ${child.plan.logFile}.${where}`,
    },
  );
}

async function houseEnvironment(options: HouseOptions): Promise<Environment> {
  const { data, ports, servers, identities, env } = options;
  const { PATH } = env;
  const files = dataFiles(data);
  const token = ((await readIfThere(files.traceToken)) ?? '').trim();
  return {
    ...ALLOCATOR,
    ...env,
    PATH: [path.dirname(process.execPath), PATH, PROGRAMS].filter(Boolean).join(path.delimiter),
    // Compiled once for all processes and starts; a process then needs no compiler for types in memory.
    NODE_COMPILE_CACHE: compileCacheOf(env),
    NATS_URL: servers.natsUrl,
    REDIS_URL: servers.redisUrl,
    MONGODB_URL: servers.mongodbUrl,
    INTERLOCK_KEYS: files.keys,
    INTERLOCK_KEYRING: files.keyring,
    INTERLOCK_ROOT_KEY: identities.rootKey,
    INTERLOCK_KEK_FILE: files.kek,
    INTERLOCK_CALL_ID_KEY_FILE: files.callIdKey,
    INTERLOCK_TRACE_TOKEN_FILE: files.traceToken,
    INTERLOCK_PEOPLE_FILE: files.people,
    INTERLOCK_INGRESS_ADDRESS: `${HOST}:${ports.ingress}`,
    INTERLOCK_CONSOLE_ADDRESS: `${HOST}:${ports.console}`,
    INTERLOCK_HEALTH_ADDRESS: `${HOST}:0`,
    INTERLOCK_EXIT_WITH_PARENT: '1',
    ...traceEnvironment(env, ports, token),
  };
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

function freeAddresses(): Environment {
  return { INTERLOCK_INGRESS_ADDRESS: `${HOST}:0`, INTERLOCK_CONSOLE_ADDRESS: `${HOST}:0` };
}

/** Returns what a house says of its services. */
export function servicesOf(children: readonly SupervisedProcess[]): Ready[] {
  return children.flatMap((child) =>
    child.ready.map((ready) => ({ ...ready, service: nameIn(child, ready) })),
  );
}

function nameIn(child: SupervisedProcess, ready: Ready): string {
  return child.name === SINGLE ? ready.service : child.name;
}
