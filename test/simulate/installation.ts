/** The installation of one round: real processes, each behind a link to NATS of its own, and an upstream that counts. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { services } from '@interlock/contracts';
import { freePort } from '@interlock/testkit';
import { type Line, startLine } from '../line.ts';
import { type Link, openLink } from './link.ts';
import { openVolume, type Volume } from './volume.ts';

const SHIFT = new URL('./shift-clock.mjs', import.meta.url);
/** A call that nobody settles is settled by another executor soon, so that a round need not wait for minutes. */
const CLAIM_MS = 4_000;
/** Longer than the faults of a round, so that questions are answered across them; short enough to see them expire. */
const QUESTION_MS = 20_000;
/** What `bare` may spend in a round: it spends 1 a call. */
export const BUDGET = 10;
/** How many calls of `slow` the upstream may have at once, and how long it takes for each. */
export const SLOW_AT_ONCE = 4;
export const SLOW_MS = 700;
/** How many calls of `idem` may start at once, and how fast more may follow. */
export const RATE = { calls: 60, windowMs: 60_000 };
/** The window of the budget: no round meets its end. */
const MONTH_MS = 31 * 86_400_000;
export const SERVERS = ['nats-server', 'redis-server', 'ferretdb'] as const;
export type Server = (typeof SERVERS)[number];

export interface Installation extends AsyncDisposable {
  readonly line: Line;
  readonly links: ReadonlyMap<string, Link>;
  /** The file system of the data folder; undefined where none of its own could be made. */
  readonly volume: Volume | undefined;
  /** Sets how far the clock of a service is from the right time. */
  setClock(service: string, offsetMs: number): Promise<void>;
  /** The data folder. */
  readonly data: string;
}

/** Starts everything for a round and returns once calls work. Disposing it ends every process by force. */
export async function startInstallation(signal: AbortSignal): Promise<Installation> {
  await using owned = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-simulate-'));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const volume = await openVolume(folder).catch(() => undefined);
  if (volume !== undefined) owned.use(volume);
  const data = path.join(volume?.folder ?? folder, 'data');
  const clocks = path.join(folder, 'clocks');
  await mkdir(clocks);
  // A process that is killed leaves what it made there.
  const temporary = path.join(folder, 'tmp');
  await mkdir(temporary);
  const setClock = (service: string, offsetMs: number) =>
    writeFile(path.join(clocks, service), String(offsetMs));

  const nats = await freePort();
  const links = new Map<string, Link>();
  for (const service of services) links.set(service, owned.use(await openLink(nats)));
  const envOf = (service: string) => {
    const shift = new URL(SHIFT);
    shift.searchParams.set('file', path.join(clocks, service));
    return {
      NATS_URL: `nats://127.0.0.1:${links.get(service)?.port}`,
      NODE_OPTIONS: `--import=${shift}`,
      TMPDIR: temporary,
    };
  };
  for (const service of services) await setClock(service, 0);
  const line = owned.use(
    await startLine({
      data,
      ...configuration,
      ports: { nats },
      serviceEnv: Object.fromEntries(services.map((service) => [service, envOf(service)])),
      signal,
    }),
  );
  line.upstream.behave({ kind: 'delay', delayMs: SLOW_MS }, '/slow');
  owned.defer(() => endAll(line));
  const running = owned.move();
  return {
    ...{ line, links, volume, setClock, data },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Sends a signal to a process. One that is just being started again has nothing to be signalled. */
export function signalTo({ interlock }: Line, name: string, signal: NodeJS.Signals): void {
  try {
    interlock.signal(name, signal);
  } catch {
    return;
  }
}

/** Kills every process at once, and lets none start again. */
export async function endAll(line: Line): Promise<void> {
  for (const name of [...SERVERS, ...services]) signalTo(line, name, 'SIGKILL');
  // What it cannot write any more, it need not.
  await line.interlock.stop().catch(() => undefined);
}

const claimed = { claimMs: CLAIM_MS };
const spending = {
  spends: '/amount',
  credential: { name: 'upstream-token', inject: { as: 'bearer' } },
  inputSchema: {
    type: 'object',
    properties: { text: { type: 'string' }, amount: { type: 'number' } },
    required: ['text', 'amount'],
    additionalProperties: false,
  },
};
const configuration = {
  tools: { write: claimed, idem: claimed, slow: claimed, ask: claimed, bare: { ...claimed, ...spending } },
  limits: [
    {
      name: 'budget',
      per: ['tenant'],
      match: { tool: 'bare' },
      spend: { amount: BUDGET, windowMs: MONTH_MS },
    },
    { name: 'at-once', per: ['tenant'], match: { tool: 'slow' }, concurrency: SLOW_AT_ONCE },
    { name: 'rate', per: ['tenant'], match: { tool: 'idem' }, rate: RATE },
  ],
  approvals: { expiresMs: QUESTION_MS },
};
