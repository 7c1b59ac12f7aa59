/**
 * A whole house on one machine.
 *
 * 1. The configuration is read and its policies are compiled before anything starts.
 * 2. Servers come before services, the provisioner before the others; stopping goes the other way.
 * 3. Deciders are ready only once there is a policy, so the configuration is applied as soon as the console is up.
 */
import { mkdir } from 'node:fs/promises';
import {
  applyConfiguration,
  bundlePolicies,
  type Context,
  consoleDoor,
  dataFiles,
  type LoadedConfiguration,
  loadConfiguration,
  readContext,
  signedBundle,
  tokenOf,
  withAgentKeys,
  withTokens,
  writeContext,
  writePrivate,
} from '@interlock/cli';
import type { ServiceName } from '@interlock/contracts';
import { type Environment, Failure, failureOf, processEnvironment, systemClock } from '@interlock/shell';
import { ensureIdentities } from './identities.ts';
import { takeLock, writeLock } from './lock.ts';
import { type Ports, takePorts } from './ports.ts';
import { planServers, type Servers, untilListening } from './servers.ts';
import { planHouse, SINGLE, servicesOf, untilReady, untilStarted } from './services.ts';
import { SupervisedProcess } from './supervise.ts';

const HOST = '127.0.0.1';
const POLL_MS = 25;
const RESTART_TIMEOUT_MS = 60_000;

export interface InterlockOptions {
  /** Folder of the configuration. */
  config: string;
  /** Folder of keys, servers' data, logs and the command's context. */
  data: string;
  /** All services in one process. */
  single?: boolean;
  ports?: Partial<Ports>;
  replicas?: Readonly<Partial<Record<ServiceName, number>>>;
  /** Variables for the processes besides those of this one. */
  env?: Environment;
  /** Variables for every process of one service, put over those of all. */
  serviceEnv?: Readonly<Partial<Record<ServiceName, Environment>>>;
  /** Told what goes on, a line at a time. */
  say?: (line: string) => void;
  /** Aborted when the start is to be given up. */
  signal?: AbortSignal;
}

export interface RunningService {
  name: string;
  pid: number;
  url: string | undefined;
  healthUrl: string;
}

/** A house that runs. Disposing it stops services first, then servers. */
export interface RunningInterlock extends AsyncDisposable {
  readonly ingress: string;
  readonly console: string;
  readonly data: string;
  /** People's tokens and agents' keys. */
  readonly context: Context;
  /** The services as they are now; after a restart their process ids differ. */
  readonly services: RunningService[];
  /** The process ids of servers that were started here. */
  readonly servers: { name: string; pid: number }[];
  /** Sends a signal to one process, by the name of a service (or a server). Throws `process_unknown`. */
  signal(name: string, signal: NodeJS.Signals): void;
  /** Stops one process in order and waits until its successor is ready. */
  restart(name: string): Promise<void>;
  /** Waits until every service is ready. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a house and returns it once every service is ready. Throws a `Failure` and leaves nothing running. */
export async function startInterlock(options: InterlockOptions): Promise<RunningInterlock> {
  const { config, data, say = () => undefined, signal = new AbortController().signal } = options;
  const env = { ...processEnvironment(), ...options.env };
  const loaded = await loadConfiguration(config);
  const bundle = await bundlePolicies(loaded.policies, signal, env);
  await mkdir(dataFiles(data).logs, { recursive: true, mode: 0o700 });

  await using owned = new AsyncDisposableStack();
  owned.use(await takeLock(data, say));
  const identities = await ensureIdentities(data, systemClock.nowMs());
  const ports = await takePorts(dataFiles(data).ports, options.ports ?? {});
  const people = await preparePeople(data, loaded);

  const servers = await planServers(data, ports, identities, env);
  const serverChildren = await startServers(servers, owned, { data, say, signal });
  const plans = await planHouse({
    data,
    ports,
    servers,
    identities,
    env,
    single: options.single ?? false,
    replicas: options.replicas ?? {},
    serviceEnv: options.serviceEnv ?? {},
  });
  const children = plans.map((plan) => new SupervisedProcess(plan, say));
  owned.defer(() => stopServices(children));
  await startServices(children, signal);

  const ingress = urlOf(children, 'ingress') ?? `http://${HOST}:${ports.ingress}`;
  const consoleUrl = urlOf(children, 'console') ?? `http://${HOST}:${ports.console}`;
  const door = consoleDoor(consoleUrl, tokenOf(people.context));
  const policy = await signedBundle(data, bundle, env);
  await applyConfiguration(door, loaded, { people: people.people, policy });
  const keyed = await withAgentKeys(door, people.context, loaded.agents, systemClock.nowMs());
  const context = { ...keyed, ingress, console: consoleUrl };
  await writeContext(data, context);
  await untilReady(children, signal);

  const running = owned.move();
  return houseOf({ data, ingress, console: consoleUrl, context, children, serverChildren }, running);
}

async function preparePeople(data: string, loaded: LoadedConfiguration) {
  const { context, people } = withTokens(await readContext(data), loaded.people);
  if (context.person === undefined)
    throw new Failure(
      'admin_unknown',
      'people.yaml names no admin for every tenant whose token is known here.',
      {
        next: 'Leave out the tokenHash of one admin: a token is then made and kept in the data folder.',
      },
    );
  await writeContext(data, context);
  const seed = people.filter(({ tokenHash }) => tokenHash !== undefined);
  await writePrivate(dataFiles(data).people, `${JSON.stringify({ people: seed }, null, 2)}\n`);
  return { context, people };
}

interface Starting {
  data: string;
  say: (line: string) => void;
  signal: AbortSignal;
}

async function startServers(
  servers: Servers,
  owned: AsyncDisposableStack,
  { data, say, signal }: Starting,
): Promise<SupervisedProcess[]> {
  let noted: Promise<void> = Promise.resolve();
  const note = () => {
    noted = noted
      .then(() => writeLock(data, pidsOf(children)))
      .catch((error: unknown) => say(`the lock file is out of date: ${failureOf(error).detail}`));
  };
  const children = servers.plans.map((plan) => new SupervisedProcess(plan, say, note));
  owned.defer(async () => {
    await Promise.all(children.map((child) => child.stop()));
    await noted;
  });
  for (const child of children) child.start();
  await Promise.all(
    servers.plans.map(async ({ port }, index) => {
      const child = children[index];
      if (child !== undefined) await untilListening(child, port, signal);
    }),
  );
  return children;
}

/** Streams must be there before a service binds to them. */
async function startServices(children: readonly SupervisedProcess[], signal: AbortSignal): Promise<void> {
  const [first, ...others] = children;
  if (first === undefined) return;
  first.start();
  await untilStarted(first, signal);
  for (const child of others) child.start();
  await Promise.all(others.map((child) => untilStarted(child, signal)));
}

/**
 * The door closes first: what is in flight behind it is answered while everybody else still works. The console is
 * last: it takes the spans that the others send as they leave. Broker and auditor go before it: executors that
 * finish what they started still ask for credentials, and settle.
 */
async function stopServices(children: readonly SupervisedProcess[]): Promise<void> {
  const of = (...names: string[]) =>
    children.filter(({ name }) => names.some((one) => name === one || name.startsWith(`${one}-`)));
  const [first, asked, last] = [of('ingress'), of('broker', 'auditor'), of('console')];
  const others = children.filter((child) => ![...first, ...asked, ...last].includes(child));
  for (const group of [first, others, asked, last]) await Promise.all(group.map((child) => child.stop()));
}

interface House {
  data: string;
  ingress: string;
  console: string;
  context: Context;
  children: readonly SupervisedProcess[];
  serverChildren: readonly SupervisedProcess[];
}

function houseOf(house: House, running: AsyncDisposableStack): RunningInterlock {
  const { data, ingress, console, context, children, serverChildren } = house;
  const find = (name: string): SupervisedProcess => {
    const all = [...children, ...serverChildren];
    const found = all.find((child) => child.name === name) ?? children.find((child) => child.name === SINGLE);
    if (found === undefined) throw new Failure('process_unknown', `There is no process named ${name}.`);
    return found;
  };
  const never = new AbortController().signal;
  return {
    data,
    ingress,
    console,
    context,
    get services() {
      return servicesOf(children).map(({ service, pid, url, healthUrl }) => ({
        name: service,
        pid,
        url,
        healthUrl,
      }));
    },
    get servers() {
      return pidsOf(serverChildren);
    },
    signal: (name, signal) => void find(name).signal(signal),
    restart: async (name) => {
      const child = find(name);
      const { lives } = child;
      child.signal('SIGTERM');
      await untilNextLife(child, lives);
      if (children.includes(child)) await untilReady([child], never);
    },
    ready: () => untilReady(children, never),
    stop: () => running.disposeAsync(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function untilNextLife(child: SupervisedProcess, lives: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + RESTART_TIMEOUT_MS;
  while (child.lives === lives || child.pid === undefined) {
    if (systemClock.monotonicMs() > endMs)
      throw new Failure('service_failed', `${child.name} does not start again.`);
    await systemClock.sleep(POLL_MS);
  }
}

function urlOf(children: readonly SupervisedProcess[], service: string): string | undefined {
  return servicesOf(children).find((ready) => ready.service === service)?.url;
}

function pidsOf(children: readonly SupervisedProcess[]): { name: string; pid: number }[] {
  return children.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
}
