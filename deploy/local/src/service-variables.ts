/**
 * Which variables a service's process is given. What the environment of `up` holds besides, such as tokens of other
 * programs or what another service reads, stays with `up`: who takes over a service finds nothing there that the service did not need.
 */
import type { ServiceName } from '@interlock/contracts';
import type { Environment } from '@interlock/shell';

/** What a service reads of its own. Held to its configuration schema by a test; nothing here imports a service. */
export const ownVariables: Readonly<Record<ServiceName, readonly string[]>> = {
  approver: [],
  auditor: ['MONGODB_URL'],
  broker: ['INTERLOCK_KEK_FILE'],
  console: [
    'INTERLOCK_CONSOLE_ADDRESS',
    'INTERLOCK_CONSOLE_PUBLIC',
    'INTERLOCK_CONSOLE_HOSTS',
    'INTERLOCK_PEOPLE_FILE',
    'INTERLOCK_TRACES',
    'INTERLOCK_TRACE_TOKEN_FILE',
  ],
  decider: ['INTERLOCK_DECIDER_CONCURRENCY', 'INTERLOCK_ENVIRONMENT'],
  executor: [
    'INTERLOCK_EXECUTOR_CONCURRENCY',
    'INTERLOCK_EGRESS_CA_FILE',
    'INTERLOCK_EXECUTOR_COMMANDS',
    'INTERLOCK_BWRAP_BIN',
  ],
  ingress: [
    'INTERLOCK_INGRESS_ADDRESS',
    'INTERLOCK_INGRESS_FD',
    'INTERLOCK_PUBLIC_URL',
    'INTERLOCK_INGRESS_IN_FLIGHT',
    'INTERLOCK_INGRESS_CONNECTIONS_PER_ADDRESS',
    'INTERLOCK_INGRESS_TENANT_BYTES_PER_HOUR',
    'INTERLOCK_CALL_ID_KEY_FILE',
  ],
  limiter: ['REDIS_URL', 'INTERLOCK_REDIS_PASSWORD_FILE'],
  provisioner: ['INTERLOCK_STREAM_REPLICAS', 'INTERLOCK_LEDGER_MAX_BYTES'],
};

/** What every service reads. Held to the common configuration schema by the same test. */
export const commonVariables: readonly string[] = [
  'NATS_URL',
  'INTERLOCK_NATS_CA_FILE',
  'INTERLOCK_KEYS',
  'INTERLOCK_KEYRING',
  'INTERLOCK_ROOT_KEY',
  'INTERLOCK_HEALTH_ADDRESS',
  'INTERLOCK_LOG_LEVEL',
  'INTERLOCK_REPLICA',
  'INTERLOCK_EXIT_WITH_PARENT',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
];

/** What the system's libraries, Node and its allocator read. */
const systemVariables: readonly string[] = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'LANG',
  'LC_ALL',
  'NODE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
  'NODE_OPTIONS',
  'MALLOC_ARENA_MAX',
  'MALLOC_TRIM_THRESHOLD_',
];

/** The OpenTelemetry SDK reads its many variables by itself, and every service sends spans. */
const TELEMETRY = 'OTEL_';

/** Returns what of an environment processes that run these services are given. */
export function variablesOf(services: readonly ServiceName[], env: Environment): Environment {
  const own = services.flatMap((service) => ownVariables[service]);
  const named = new Set([...systemVariables, ...commonVariables, ...own]);
  const given = Object.entries(env).filter(([name]) => named.has(name) || name.startsWith(TELEMETRY));
  return Object.fromEntries(given);
}
