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
/** A server that ends may write files while their folder is being removed. */
const REMOVE_RETRIES = 5;

/** What the steps of the demo use. */
export interface Setup {
  /** Folder of the filesystem server, with the invoices. */
  files: string;
  installation: Installation;
  api: PaymentsApi;
  agent: Agent;
  agentKey: string;
  wiretap: Wiretap;
  /** Clients of Alice, for whom the agent acts, and of Bob. */
  alice: ApiClient;
  bob: ApiClient;
  signal: AbortSignal;
}

export interface SetupOptions {
  machine: Machine;
  screen: Screen;
  signal: AbortSignal;
}

/** Starts everything. Each part is added to `owned` as it starts, so that a failure leaves nothing running. */
export async function setUp(owned: AsyncDisposableStack, options: SetupOptions): Promise<Setup> {
  const { machine, screen, signal } = options;
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-demo-'));
  owned.defer(() => rm(folder, { recursive: true, force: true, maxRetries: REMOVE_RETRIES }));
  const report = (line: string) => screen.line(line);
  const config = path.join(folder, 'config');
  const port = await machine.freePort();
  await copyConfiguration(config, port);
  screen.line(`All files are in ${folder}, which is removed at the end.`);

  screen.line('Starting Interlock and an API that is not part of it, which takes about ten seconds.');
  const startedMs = performance.now();
  const [api, installation] = await startBoth(owned, machine, {
    api: { startServer: machine.startServer, folder: path.join(folder, 'api'), port, report, signal },
    installation: { config, data: path.join(folder, 'data'), env: OWN_TRACES, report, signal },
  });
  screen.line(`${countOf(installation)} are ready after ${seconds(performance.now() - startedMs)}.`);
  screen.line(
    `The API is at ${api.url}: json-server with json-server-auth, which know nothing of Interlock.`,
  );

  const { trust } = installation.context;
  const alice = managementClient(installation.console, tokenOf(installation.context, 'alice'), trust);
  await giveCredential(alice, api);
  screen.line(
    `Alice sets the credential ${CREDENTIAL}. It is stored encrypted, and no agent ever receives it.`,
  );
  const wiretap = owned.use(await openWiretap(installation.ingress));
  const key = installation.context.agents[AGENT]?.key;
  if (key === undefined) throw new Failure('configuration_missing', `The demo has no agent ${AGENT}.`);
  const agent = new Agent({ name: 'clerk', url: wiretap.url, key, signal });
  screen.line('The agent clerk acts for Alice. It has an address and a key, and a tap records its traffic.');
  const bob = managementClient(installation.console, tokenOf(installation.context, 'bob'), trust);
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

/** Starts API and installation side by side. When one fails, the other is ended before the failure is reported. */
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

/** The demo shows a trace, so spans stay in the installation even when the operator has a collector. */
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
