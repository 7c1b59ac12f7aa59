/**
 * A whole installation on one machine.
 *
 * I1. The configuration is read and its policies are compiled before anything starts.
 * I2. Servers start before services, the provisioner before the others; stopping goes the other way.
 * I3. Deciders are ready only once a policy is published, so the configuration is applied as soon as the console runs.
 */
import { mkdir, rm } from 'node:fs/promises';
import {
  type Agree,
  agreeToCommands,
  applyConfiguration,
  bundlePolicies,
  type ConfirmRemovals,
  issueText,
  type LoadedConfiguration,
  listTools,
  loadConfiguration,
  managementClient,
  planOf,
  readContext,
  reportUnsetCredentials,
  resolveTools,
  signedBundle,
  tokenOf,
  untilPolicyUsed,
  withAgentKeys,
  withKnown,
  withTokens,
  writeContext,
} from '@interlock/cli';
import type { ServiceName } from '@interlock/contracts';
import {
  type Environment,
  Failure,
  failureOf,
  processEnvironment,
  Queue,
  systemClock,
  writePrivate,
} from '@interlock/shell';
import { checkDataFolder } from './folder-owner.ts';
import { ensureFormat } from './format.ts';
import { holdPort } from './held-port.ts';
import { ensureIdentities } from './identities.ts';
import { dataFiles } from './installation-files.ts';
import { keepAsking } from './keep-asking.ts';
import { takeLock, writeLock } from './lock.ts';
import { type Ports, takePorts } from './ports.ts';
import { untilReady, untilStarted } from './readiness.ts';
import { pidsOf, type RunningInterlock, runningInterlock } from './running.ts';
import { reportSandbox } from './sandbox-check.ts';
import { searchPath } from './search-path.ts';
import { prepareServers, type Servers, untilListening } from './servers.ts';
import { writeServiceList } from './service-list.ts';
import { serviceSpecs, servicesOf } from './services.ts';
import { SupervisedProcess } from './supervise.ts';
import { watchServers } from './watch-servers.ts';

const HOST = '127.0.0.1';
/** A server that needs longer is asked again once everything runs. */
const FIRST_ASK_MS = 5_000;

export interface InterlockOptions {
  /** Folder of the configuration. */
  config: string;
  /** Folder of keys, servers' data, logs and the command's context. */
  data: string;
  /** All services in one process. */
  single?: boolean;
  ports?: Partial<Ports>;
  replicas?: Readonly<Partial<Record<ServiceName, number>>>;
  /** Variables put over those of this process. A service is given only what it reads of both. */
  env?: Environment;
  /** Variables for every process of one service, put over those of all. */
  serviceEnv?: Readonly<Partial<Record<ServiceName, Environment>>>;
  /** Asks whether the local MCP servers of the configuration may be started; without it they may. */
  agree?: Agree;
  /** Asks whether everything of a kind may be removed; without it that may be. */
  confirmRemovals?: ConfirmRemovals;
  /** Receives what a person should know, a line at a time. */
  report?: (line: string) => void;
  /** Receives what is being done while it is started, a line at a time. */
  progress?: (line: string) => void;
  /** Aborted when the start is to be given up. */
  signal?: AbortSignal;
}

/** Starts an installation and returns it once every service is ready. Throws a `Failure` and leaves nothing running. */
export async function startInterlock(options: InterlockOptions): Promise<RunningInterlock> {
  const {
    config,
    data,
    agree = async () => undefined,
    confirmRemovals = async () => undefined,
    report = () => undefined,
    progress = () => undefined,
    signal = new AbortController().signal,
  } = options;
  const env = { ...processEnvironment(), ...options.env };
  // I1
  const loaded = await loadConfiguration(config, data, env);
  for (const warning of loaded.warnings) report(`warning: ${issueText(warning)}`);
  progress(`compiling the policies of ${config}`);
  const bundle = await bundlePolicies(loaded.policies, signal, env);
  await checkDataFolder(data);
  await ensureFormat(data);
  await mkdir(dataFiles(data).logs, { recursive: true, mode: 0o700 });

  await using owned = new AsyncDisposableStack();
  owned.use(await takeLock(data, report));
  const commands = await agreeToCommands(data, loaded, agree);
  await reportSandbox(loaded, env, report);
  const asking = { data, env: { ...env, PATH: searchPath(env) }, report, signal };
  const mcpServers = loaded.tools.flatMap((file) => ('mcp' in file ? [{ name: file.mcp.server }] : []));
  if (mcpServers.length > 0) progress(`asking MCP servers for their tools: ${namesOf(mcpServers)}`);
  const { tools, warnings } = await resolveTools(loaded, { ...asking, limitMs: FIRST_ASK_MS });
  for (const warning of warnings) report(`warning: ${issueText(warning)}`);
  const identities = await ensureIdentities(data, systemClock.nowMs());
  const ports = await takePorts(dataFiles(data).ports, options.ports ?? {});
  const { context: tokens, people } = await preparePeople(data, loaded);

  // I2
  const servers = await prepareServers(data, ports, identities, env);
  const known = owned.use(processList(data, report));
  if (servers.specs.length > 0) progress(`starting ${namesOf(servers.specs)}`);
  const serverChildren = await startServers(servers, owned, { known, report, signal });
  const door = owned.use(holdPort(HOST, ports.ingress));
  const specs = await serviceSpecs({
    data,
    ingressFd: door.fd,
    ports,
    servers,
    identities,
    env,
    single: options.single ?? false,
    replicas: options.replicas ?? {},
    serviceEnv: options.serviceEnv ?? {},
  });
  const children = specs.map((spec) => new SupervisedProcess(spec, report, known.write));
  known.services = children;
  owned.defer(() => stopServices(children));
  await startServices(children, progress, signal);
  owned.use(watchServersOf({ servers, serverChildren, children, data, report }));

  // I3
  const ingress = urlOf(children, 'ingress') ?? `http://${HOST}:${ports.ingress}`;
  const console = urlOf(children, 'console') ?? `http://${HOST}:${ports.console}`;
  const trust = { rootKey: identities.rootKey, keyringFile: dataFiles(data).keyring };
  const client = managementClient(console, tokenOf(tokens), trust);
  const policy = await signedBundle(data, bundle, env);
  const resolved = { tools: withKnown(loaded, tools, await listTools(client)), people, policy };
  await confirmRemovals(await planOf(client, loaded, resolved));
  await commands.list();
  progress(
    `applying the configuration: ${loaded.tools.length} tool files, ${loaded.agents.length} agents, ${people.length} people`,
  );
  const { created, changed, removed } = await applyConfiguration(client, loaded, resolved);
  progress(`applied: ${created.length} created, ${changed.length} changed, ${removed.length} removed`);
  await commands.onlyNow();
  await reportUnsetCredentials(client, loaded, report);
  const keyed = await withAgentKeys(client, tokens, loaded.agents, systemClock.nowMs());
  const context = { ...keyed, ingress, console, trust };
  await writeContext(data, context);
  await untilReady(children, signal);
  progress('every service is ready');
  await untilPolicyUsed(client);
  progress('every decider uses the policy');

  const load = async () => await loadConfiguration(config, data, env);
  owned.use(keepAsking({ client, load, asking: { data, env: asking.env, report } }));
  const running = owned.move();
  return runningInterlock({ data, ingress, console, context, children, serverChildren }, running);
}

async function preparePeople(data: string, loaded: LoadedConfiguration) {
  const { context, people } = withTokens(await readContext(data), loaded.people);
  if (context.person === undefined)
    throw new Failure(
      'admin_unknown',
      'people.yaml names no admin of all tenants whose token is known here, and the configuration is applied by an admin.',
      {
        next: 'Leave out the tokenHash of one admin: a token is then made and kept in the data folder.',
      },
    );
  await writeContext(data, context);
  const seed = people.filter(({ tokenHash }) => tokenHash !== undefined);
  await writePrivate(dataFiles(data).people, `${JSON.stringify({ people: seed }, null, 2)}\n`);
  return { context, people };
}

/** The processes that run, written down at each start, so that the next `up` finds what a crash of this one left. */
interface ProcessList extends AsyncDisposable {
  services: readonly SupervisedProcess[];
  servers: readonly SupervisedProcess[];
  readonly write: () => void;
}

function processList(data: string, report: (line: string) => void): ProcessList {
  const writes = new Queue();
  /** A write reads the lists when it runs, so that one in waiting is enough. */
  let waiting = false;
  const list: ProcessList = {
    services: [],
    servers: [],
    write: () => {
      if (waiting) return;
      waiting = true;
      void writes
        .run(async () => {
          waiting = false;
          await writeLock(data, { services: pidsOf(list.services), servers: pidsOf(list.servers) });
          await writeServiceList(data, list.services);
        })
        .catch((error: unknown) =>
          report(`the list of processes is out of date: ${failureOf(error).detail}`),
        );
    },
    [Symbol.asyncDispose]: async () => {
      await writes.idle();
      await rm(dataFiles(data).services, { force: true });
    },
  };
  return list;
}

interface Starting {
  known: ProcessList;
  report: (line: string) => void;
  signal: AbortSignal;
}

async function startServers(
  servers: Servers,
  owned: AsyncDisposableStack,
  { known, report, signal }: Starting,
): Promise<SupervisedProcess[]> {
  const children = servers.specs.map((spec) => new SupervisedProcess(spec, report, known.write));
  known.servers = children;
  owned.defer(async () => void (await Promise.all(children.map((child) => child.stop()))));
  for (const child of children) child.start();
  await Promise.all(
    servers.specs.map(async ({ listening }, index) => {
      const child = children[index];
      if (child !== undefined) await untilListening(child, listening, signal);
    }),
  );
  return children;
}

function watchServersOf({
  servers,
  serverChildren,
  children,
  data,
  report,
}: {
  servers: Servers;
  serverChildren: readonly SupervisedProcess[];
  children: readonly SupervisedProcess[];
  data: string;
  report: (line: string) => void;
}): AsyncDisposable {
  const watched = serverChildren.flatMap((child) => {
    const spec = servers.specs.find(({ name }) => name === child.name);
    return spec === undefined ? [] : [{ child, server: spec.name, listening: spec.listening }];
  });
  const provisioner = () => servicesOf(children).find(({ service }) => service === 'provisioner');
  return watchServers({ servers: watched, data, provisioner, report, clock: systemClock });
}

/** The provisioner makes the streams that the other services bind to. */
async function startServices(
  children: readonly SupervisedProcess[],
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const [first, ...others] = children;
  if (first === undefined) return;
  progress(`starting ${first.name}`);
  first.start();
  await untilStarted(first, signal);
  if (others.length > 0) progress(`starting ${namesOf(others)}`);
  for (const child of others) child.start();
  await Promise.all(others.map((child) => untilStarted(child, signal)));
}

/**
 * Ingress stops first: the calls it holds are answered while every other service still works. Broker and auditor stop
 * after the rest: an executor that finishes what it started asks for credentials and settles. The console is last: it
 * takes the spans that the others send as they end.
 */
async function stopServices(children: readonly SupervisedProcess[]): Promise<void> {
  const of = (...names: string[]) =>
    children.filter(({ name }) => names.some((one) => name === one || name.startsWith(`${one}-`)));
  const [first, late, last] = [of('ingress'), of('broker', 'auditor'), of('console')];
  const others = children.filter((child) => ![...first, ...late, ...last].includes(child));
  for (const group of [first, others, late, last]) await Promise.all(group.map((child) => child.stop()));
}

function namesOf(processes: readonly { name: string }[]): string {
  return processes.map(({ name }) => name).join(', ');
}

function urlOf(children: readonly SupervisedProcess[], service: string): string | undefined {
  return servicesOf(children).find((ready) => ready.service === service)?.url;
}
