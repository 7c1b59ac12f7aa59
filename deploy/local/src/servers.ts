/** The servers underneath: NATS, Redis and a MongoDB-wire server, each only where no address is given. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { natsServerConfig } from '@interlock/bus';
import { type Environment, Failure, readIfPresent, systemClock, writePrivate } from '@interlock/shell';
import type { Identities } from './identities.ts';
import { dataFiles } from './installation-files.ts';
import type { Ports } from './ports.ts';
import { acceptsConnections, type Listening, type ServerName } from './server-probes.ts';
import { socketFolder } from './sockets.ts';
import { endOfLog, type ProcessSpec, type SupervisedProcess } from './supervise.ts';

const HOST = '127.0.0.1';
/** A NATS server with a large store reads it before it answers. */
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
/** A server that ended as often as this before it listened will not listen. */
const STARTS_MAX = 3;

type ServerSpec = ProcessSpec & { name: ServerName; listening: Listening };

/** Addresses of the servers, and how those without a given address are started. */
export interface Servers {
  natsUrl: string;
  redisUrl: string;
  mongodbUrl: string;
  /** The file with the password of the Redis that is started here. */
  redisPasswordFile?: string;
  specs: ServerSpec[];
}

/** Returns where the servers are, and makes the folders of those that are started here. */
export async function prepareServers(
  data: string,
  ports: Ports,
  identities: Identities,
  env: Environment,
): Promise<Servers> {
  const { NATS_URL: nats, REDIS_URL: redis, MONGODB_URL: mongodb } = env;
  const sockets = redis === undefined || mongodb === undefined ? await socketFolder(data) : '';
  const redisSocket = path.join(sockets, 'redis.sock');
  const ferretdbSocket = path.join(sockets, 'ferretdb.sock');
  const specs = [
    ...(nats === undefined ? [await natsSpec(data, ports.nats, identities, env)] : []),
    ...(redis === undefined ? [await redisSpec(data, redisSocket, env)] : []),
    ...(mongodb === undefined ? [await ferretdbSpec(data, ferretdbSocket, env)] : []),
  ];
  return {
    natsUrl: nats ?? `nats://${HOST}:${ports.nats}`,
    redisUrl: redis ?? pathToFileURL(redisSocket).href.replace('file:', 'unix:'),
    mongodbUrl: mongodb ?? `mongodb://${encodeURIComponent(ferretdbSocket)}/interlock`,
    ...(redis === undefined ? { redisPasswordFile: dataFiles(data).redisPassword } : {}),
    specs,
  };
}

/** Waits until a server accepts connections. Throws `server_failed` with the end of its log. */
export async function untilListening(
  server: SupervisedProcess,
  at: Listening,
  signal: AbortSignal,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + START_TIMEOUT_MS;
  while (!(await acceptsConnections(at))) {
    signal.throwIfAborted();
    if (server.starts > STARTS_MAX) throw await serverFailed(server, server.lastEnd);
    if (systemClock.monotonicMs() > endMs)
      throw await serverFailed(server, `does not listen at ${at} after ${START_TIMEOUT_MS / 1_000} s`);
    await systemClock.sleep(POLL_MS, signal);
  }
}

async function serverFailed({ name, spec }: SupervisedProcess, how: string): Promise<Failure> {
  const end = await endOfLog(spec);
  return new Failure('server_failed', `${name} (${spec.command}) ${how}. The end of its log:\n  ${end}`, {
    next: `Read its log, ${spec.logFile}. Name another program or a running server by a variable: see interlock up --help.`,
  });
}

async function natsSpec(data: string, port: number, { publicKeys }: Identities, env: Environment) {
  const storeDir = path.join(data, 'nats');
  const file = path.join(data, 'nats.conf');
  await mkdir(storeDir, { recursive: true, mode: 0o700 });
  await writePrivate(file, natsServerConfig({ host: HOST, port, storeDir, publicKeys }));
  return serverSpec('nats-server', 'INTERLOCK_NATS_SERVER_BIN', ['-c', file], { data, listening: port, env });
}

async function redisSpec(data: string, socket: string, env: Environment) {
  const folder = path.join(data, 'redis');
  const file = path.join(data, 'redis.conf');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const password = ((await readIfPresent(dataFiles(data).redisPassword)) ?? '').trim();
  const lines = [
    // No port: another user of this machine can reach neither the socket nor guess the password.
    'port 0',
    `unixsocket ${JSON.stringify(socket)}`,
    'unixsocketperm 700',
    `requirepass ${password}`,
    `dir ${JSON.stringify(folder)}`,
    'save ""',
    // Every write is kept: after a restart that lost some, the limiter counts every budget as spent for minutes.
    'appendonly yes',
    'appendfsync always',
    // An evicted counter would let an agent spend its budget again.
    'maxmemory-policy noeviction',
  ];
  await writePrivate(file, `${lines.join('\n')}\n`);
  return serverSpec('redis-server', 'INTERLOCK_REDIS_BIN', [file], { data, listening: socket, env });
}

// docs/decisions/027
async function ferretdbSpec(data: string, socket: string, env: Environment) {
  const folder = path.join(data, 'ferretdb');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const args = [
    '--handler=sqlite',
    `--sqlite-url=file:${folder}/`,
    `--state-dir=${folder}`,
    // No port: whoever may enter the folder of the socket may use it.
    '--listen-addr=',
    `--listen-unix=${socket}`,
    '--debug-addr=-',
    '--telemetry=disable',
    '--log-level=WARN',
  ];
  const spec = serverSpec('ferretdb', 'INTERLOCK_FERRETDB_BIN', args, { data, listening: socket, env });
  // A check of the audit trail reads everything: collecting half as often takes a fifth off, for some 15 MB.
  return { ...spec, env: { ...spec.env, GOGC: '200' } };
}

function serverSpec(
  name: ServerName,
  variable: string,
  args: string[],
  { data, listening, env }: { data: string; listening: Listening; env: Environment },
): ServerSpec {
  const { PATH, HOME, LANG } = env;
  const logFile = path.join(dataFiles(data).logs, `${name}.log`);
  const own = { PATH, HOME, LANG };
  return {
    name,
    command: env[variable] ?? name,
    args,
    env: own,
    cwd: data,
    logFile,
    reportsReady: false,
    lowPriority: name === 'ferretdb',
    ...(typeof listening === 'string' ? { socket: listening } : {}),
    listening,
  };
}
