import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { connectBus } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import { createEgress, type Egress } from '@interlock/egress';
import { LocalServers } from '@interlock/sandbox';
import { defineService, processEnvironment, run } from '@interlock/shell';
import { Cancelled } from './cancelled.ts';
import { refusalOf } from './claim.ts';
import { type ExecutorConfig, executorConfigSchema } from './config.ts';
import { watchEntries } from './entries.ts';
import { execute } from './execute.ts';
import { watchLedgerRoom } from './ledger-room.ts';
import { McpPool } from './mcp-pool.ts';
import { Orphans } from './orphans.ts';
import { recover } from './recover.ts';
import { Semaphore } from './semaphore.ts';
import type { Parts } from './task.ts';

export { headersWith } from './http.ts';
export { buildHttpRequest } from './http-request.ts';

/**
 * Calls checked and claimed at once. A claim is one write, so a few keep the ledger busy, and what waits does so at the
 * server, for any executor. How many are carried out at once is another bound.
 */
const CLAIMS_MAX = 16;
/** The shell waits 15 s: this leaves it time to close connections. */
const DRAIN_MS = 12_000;

/** The executor: claims admitted calls, carries them out, settles them, and settles what others left behind. */
export const executorService = defineService({
  name: 'executor',
  config: executorConfigSchema,
  async start({ service, replica, nats, keys, keyring, clock, log, health, config }) {
    await using stack = new AsyncDisposableStack();
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    const entries = stack.use(await watchEntries(bus));
    const room = stack.use(await watchLedgerRoom(bus, { clock, log }));
    const egress = stack.use(await openEgress(config));
    const http = { egress, signingKey: keys.sign, nowMs: () => clock.nowMs() };
    const servers = stack.use(await openServers(config, (line) => log.warn(line)));
    const pool = stack.use(
      new McpPool({
        ...http,
        monotonicMs: () => clock.monotonicMs(),
        servers,
        commandsFile: config.INTERLOCK_EXECUTOR_COMMANDS,
      }),
    );
    const concurrency = new Semaphore(config.INTERLOCK_EXECUTOR_CONCURRENCY);
    const cancelled = new Cancelled();
    await bus.onCancel((call) => cancelled.add(call));
    const stopping = new AbortController();
    const orphans: Orphans = new Orphans(
      () => clock.nowMs(),
      (notice) => recover(notice, parts),
    );
    const parts: Parts = {
      ...{ bus, entries, room, egress, pool, concurrency, cancelled, orphans, keys, keyring, clock, log },
      executor: replica,
      signal: stopping.signal,
    };
    health.add('bus', () => bus.ready);
    health.add('entries', () => entries.ready);
    health.add('ledger', () => room.blockedBy()?.detail ?? true);
    stack.defer(() => drain(parts, stopping));
    stack.use(bus.followClaims((notice) => orphans.add(notice)));
    stack.use(
      await bus.step('executor', {
        verb: (delivery, signal) => execute(delivery, parts, signal),
        poison: (delivery, fault) => refusalOf(delivery, fault, keyring, clock.nowMs()),
        concurrency: CLAIMS_MAX,
      }),
    );
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

/** Waits for what was started. What takes too long is aborted and settles as unknown. */
async function drain({ concurrency, orphans, clock }: Parts, stopping: AbortController): Promise<void> {
  const drained = new AbortController();
  const aborting = clock.sleep(DRAIN_MS, drained.signal).then(
    () => stopping.abort(),
    () => {},
  );
  await Promise.all([concurrency.idle(), orphans.idle()]);
  drained.abort();
  await aborting;
  stopping.abort();
}

async function openEgress({
  INTERLOCK_EGRESS_CA_FILE,
  INTERLOCK_EXECUTOR_CONCURRENCY,
}: ExecutorConfig): Promise<Egress> {
  const ca = INTERLOCK_EGRESS_CA_FILE === undefined ? [] : [await readCertificates(INTERLOCK_EGRESS_CA_FILE)];
  // Every call in flight may have a request out, and all may go to one destination.
  const limits = { maxInFlight: 2 * INTERLOCK_EXECUTOR_CONCURRENCY, maxConnectionsPerPool: 64 };
  return createEgress({ ca, limits });
}

/** Where there is no sandbox, the log says so once, and a local server runs with what else there is. */
async function openServers(
  { INTERLOCK_EXECUTOR_COMMANDS: commands, INTERLOCK_KEYS: keys }: ExecutorConfig,
  report: (line: string) => void,
): Promise<LocalServers> {
  // On a laptop the list stands in the data folder itself, with everything else that no server may see.
  const forbidden = [keys, ...(commands === undefined ? [] : [path.dirname(commands)])].map((one) =>
    path.resolve(one),
  );
  const servers = await LocalServers.open({ env: processEnvironment(), forbidden, report });
  if (servers.sandbox.kind === 'none' && commands !== undefined)
    report(
      `local MCP servers run without a sandbox, with the rights of the executor: ${servers.sandbox.why}`,
    );
  return servers;
}

async function readCertificates(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Fault('configuration_invalid', { detail: 'INTERLOCK_EGRESS_CA_FILE cannot be read.', cause });
  }
}

if (import.meta.main) await run([executorService]);
