/**
 * Everything the demo needs, in one temporary folder: the API, an installation, the agent behind its wire tap, and the
 * people. Disposing it ends every process and removes the folder.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ApiClient, managementClient, tokenOf } from '@interlock/cli';
import { Failure } from '@interlock/shell';
import { z } from 'zod';
import { Agent } from './agent.ts';
import type { Installation, InstallationOptions, Machine } from './machine.ts';
import { type PaymentsApi, type PaymentsApiOptions, startPaymentsApi } from './payments-api.ts';
import type { Screen } from './screen.ts';
import { seconds } from './screen.ts';
import { openWiretap, type Wiretap } from './wiretap.ts';

const CONFIGURATION = fileURLToPath(new URL('../configuration', import.meta.url));
/** The address of the API in the tool files. */
const WRITTEN_ADDRESS = '127.0.0.1:8091';
const CREDENTIAL = 'payments-token';
/** The agent of the configuration, as `<tenant>/<agent>`. */
export const AGENT = 'acme/clerk';
/** Files of a server that ends may appear while their folder is being removed. */
const REMOVE_RETRIES = 5;

/** What the steps of the demo play on. */
export interface Stage {
  /** Folder the filesystem server shows, with the invoices. */
  files: string;
  installation: Installation;
  api: PaymentsApi;
  agent: Agent;
  agentKey: string;
  wiretap: Wiretap;
  /** Alice, for whom the agent acts, and Bob, who is somebody else. */
  alice: ApiClient;
  bob: ApiClient;
  signal: AbortSignal;
}

export interface StageOptions {
  machine: Machine;
  screen: Screen;
  signal: AbortSignal;
}

/** Sets the stage; what it owns is handed to `owned` as it comes, so that a failure on the way leaves nothing. */
export async function setStage(owned: AsyncDisposableStack, options: StageOptions): Promise<Stage> {
  const { machine, screen, signal } = options;
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-demo-'));
  owned.defer(() => rm(folder, { recursive: true, force: true, maxRetries: REMOVE_RETRIES }));
  const report = (line: string) => screen.line(line);
  const config = path.join(folder, 'config');
  const port = await machine.freePort();
  await copyConfiguration(config, port);
  screen.line(`Everything is kept in ${folder} and removed at the end.`);

  screen.line('Starting Interlock, and an API that is not ours, which takes some ten seconds.');
  const startedMs = performance.now();
  const [api, installation] = await startBoth(owned, machine, {
    api: { startServer: machine.startServer, folder: path.join(folder, 'api'), port, report, signal },
    installation: { config, data: path.join(folder, 'data'), env: OWN_TRACES, report, signal },
  });
  screen.line(`${countOf(installation)} are ready after ${seconds(performance.now() - startedMs)}.`);
  screen.line(`An API that is not ours is at ${api.url}: json-server with json-server-auth.`);

  const alice = managementClient(installation.console, tokenOf(installation.context, 'alice'));
  await giveCredential(alice, api);
  screen.line(`Alice sets the credential ${CREDENTIAL}; it is kept encrypted, and no agent ever has it.`);
  const wiretap = owned.use(await openWiretap(installation.ingress));
  const key = installation.context.agents[AGENT]?.key;
  if (key === undefined) throw new Failure('configuration_missing', `The demo has no agent ${AGENT}.`);
  const agent = new Agent({ name: 'clerk', url: wiretap.url, key, signal });
  screen.line('The agent clerk acts for Alice. All it has is an address, a key, and a tap on its wire.');
  const bob = managementClient(installation.console, tokenOf(installation.context, 'bob'));
  return {
    files: path.join(config, 'files'),
    installation,
    api,
    agent,
    agentKey: key,
    wiretap,
    alice,
    bob,
    signal,
  };
}

/** Starts API and installation side by side. When one of them fails, the other one is ended before the failure is told. */
async function startBoth(
  owned: AsyncDisposableStack,
  machine: Machine,
  options: { api: PaymentsApiOptions; installation: InstallationOptions },
): Promise<[PaymentsApi, Installation]> {
  const started = await Promise.allSettled([
    startPaymentsApi(options.api),
    machine.startInterlock(options.installation),
  ]);
  for (const result of started) if (result.status === 'fulfilled') owned.use<AsyncDisposable>(result.value);
  const [api, installation] = started;
  if (installation.status === 'rejected') throw installation.reason;
  if (api.status === 'rejected') throw api.reason;
  return [api.value, installation.value];
}

/** The demo shows a trace, so spans stay in the installation whatever the operator's own collector is. */
const OWN_TRACES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined,
  INTERLOCK_TRACES: undefined,
};

/** Copies the configuration and puts the API's real address into its tools. */
async function copyConfiguration(folder: string, port: number): Promise<void> {
  await cp(CONFIGURATION, folder, { recursive: true });
  const tools = path.join(folder, 'tools');
  for (const name of await readdir(tools)) {
    const file = path.join(tools, name);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replaceAll(WRITTEN_ADDRESS, `127.0.0.1:${port}`));
  }
}

async function giveCredential(alice: ApiClient, api: PaymentsApi): Promise<void> {
  const reply = z.strictObject({ name: z.string(), setAt: z.number() });
  const body = { value: api.token.reveal() };
  await alice.request({ method: 'PUT', path: `/v1/credentials/${CREDENTIAL}`, body, reply });
}

function countOf({ services, servers }: Installation): string {
  const names = servers.map(({ name }) => name);
  const own = `${services.length} services of Interlock`;
  return names.length === 0 ? own : `${own}, with ${names.join(', ')},`;
}
