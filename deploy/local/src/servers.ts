/** The servers underneath: NATS, Redis and a MongoDB-wire server, each only where no address is given. */
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { natsServerConfig } from '@interlock/bus';
import { dataFiles, writePrivate } from '@interlock/cli';
import { type Environment, Failure, systemClock } from '@interlock/shell';
import type { Identities } from './identities.ts';
import type { Ports } from './ports.ts';
import { endOfLog, type ProcessPlan, type SupervisedProcess } from './supervise.ts';

const HOST = '127.0.0.1';
/** A NATS server with a large store reads it before it answers. */
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
/** Who ended as often as this without listening will not listen. */
const STARTS_MAX = 3;

/** Addresses of the servers, and those that are to be started here. */
export interface Servers {
  natsUrl: string;
  redisUrl: string;
  mongodbUrl: string;
  plans: (ProcessPlan & { port: number })[];
}

/** Says where the servers are and how those are started that are not given. */
export async function planServers(
  data: string,
  ports: Ports,
  identities: Identities,
  env: Environment,
): Promise<Servers> {
  const { NATS_URL: nats, REDIS_URL: redis, MONGODB_URL: mongodb } = env;
  const plans = [
    ...(nats === undefined ? [await planNats(data, ports.nats, identities, env)] : []),
    ...(redis === undefined ? [await planRedis(data, ports.redis, env)] : []),
    ...(mongodb === undefined ? [await planFerretdb(data, ports.ferretdb, env)] : []),
  ];
  return {
    natsUrl: nats ?? `nats://${HOST}:${ports.nats}`,
    redisUrl: redis ?? `redis://${HOST}:${ports.redis}`,
    mongodbUrl: mongodb ?? `mongodb://${HOST}:${ports.ferretdb}/interlock`,
    plans,
  };
}

/** Waits until a server takes connections. Throws `server_failed` with the end of its log. */
export async function untilListening(
  server: SupervisedProcess,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + START_TIMEOUT_MS;
  while (!(await takesConnections(port))) {
    signal.throwIfAborted();
    if (server.lives > STARTS_MAX) throw await serverFailed(server, server.lastEnd);
    if (systemClock.monotonicMs() > endMs)
      throw await serverFailed(server, `does not listen on port ${port}`);
    await systemClock.sleep(POLL_MS, signal);
  }
}

async function serverFailed({ name, plan }: SupervisedProcess, how: string): Promise<Failure> {
  const end = await endOfLog(plan);
  return new Failure('server_failed', `${name} (${plan.command}) ${how}. The end of its log:\n  ${end}`, {
    next: `Its log is ${plan.logFile}. A program can be named by INTERLOCK_…_BIN, a server by its URL; see interlock up --help.`,
  });
}

async function planNats(data: string, port: number, { publicKeys }: Identities, env: Environment) {
  const storeDir = path.join(data, 'nats');
  const file = path.join(data, 'nats.conf');
  await mkdir(storeDir, { recursive: true, mode: 0o700 });
  await writePrivate(file, natsServerConfig({ host: HOST, port, storeDir, publicKeys }));
  return plan('nats-server', 'INTERLOCK_NATS_SERVER_BIN', ['-c', file], { data, port, env });
}

async function planRedis(data: string, port: number, env: Environment) {
  const folder = path.join(data, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const args = ['--bind', HOST, '--port', String(port), '--dir', folder, '--save', ''];
  // Every write is kept: after a restart that forgot some, the limiter would count everything as taken for minutes.
  args.push('--appendonly', 'yes', '--appendfsync', 'always');
  // An evicted counter would forget in the agent's favour.
  args.push('--maxmemory-policy', 'noeviction');
  return plan('redis-server', 'INTERLOCK_REDIS_BIN', args, { data, port, env });
}

async function planFerretdb(data: string, port: number, env: Environment) {
  const folder = path.join(data, 'ferretdb');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const args = [
    '--handler=sqlite',
    `--sqlite-url=file:${folder}/`,
    `--state-dir=${folder}`,
    `--listen-addr=${HOST}:${port}`,
    '--debug-addr=-',
    '--telemetry=disable',
    '--log-level=WARN',
  ];
  return plan('ferretdb', 'INTERLOCK_FERRETDB_BIN', args, { data, port, env });
}

function plan(
  name: string,
  variable: string,
  args: string[],
  { data, port, env }: { data: string; port: number; env: Environment },
): ProcessPlan & { port: number } {
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
    speaks: false,
    yields: name === 'ferretdb',
    port,
  };
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: START_TIMEOUT_MS });
    const answer = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}
