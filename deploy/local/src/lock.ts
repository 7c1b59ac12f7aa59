/** One `interlock up` for a data folder: its processes are written down, so that others find them. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Failure, readIfPresent, systemClock, writePrivate } from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './installation-files.ts';
import { STOP_MS } from './supervise.ts';

const processSchema = z.strictObject({
  name: z.string(),
  pid: z.int().positive(),
  /** When it began, milliseconds since the epoch: together with the pid it identifies the process. */
  began: z.number(),
});
export type KnownProcess = z.infer<typeof processSchema>;
const lockSchema = z.strictObject({
  owner: processSchema,
  /** They end by themselves when the owner crashes, unless they hang. */
  services: z.array(processSchema),
  /** They outlive a crash of the owner. */
  servers: z.array(processSchema),
});
type Lock = z.infer<typeof lockSchema>;
/** The processes of an owner, as it knows them. */
export type Owned = Record<'services' | 'servers', readonly { name: string; pid: number }[]>;

const PS_TIMEOUT_MS = 5_000;
/** `ps` prints the start in whole seconds, and not always the same one. */
const BEGAN_TOLERANCE_MS = 5_000;
/** Processes that a crash left write what they hold and end. */
const LEAVE_MS = 10_000;
/** The system needs a moment to end a process by force. */
const KILLED_MS = 2_000;
/** An owner stops its processes in five groups, one after the other. */
const OWNER_STOP_MS = 6 * STOP_MS;
const POLL_MS = 50;

/** Takes a data folder for this process and ends what a crashed run left. Throws `already_running`. */
export async function takeLock(data: string, report: (line: string) => void): Promise<AsyncDisposable> {
  const { lock: file } = dataFiles(data);
  const before = parseLock(await readIfPresent(file));
  if (before !== undefined) {
    if (await isRunning(before.owner))
      throw new Failure(
        'already_running',
        `Process ${before.owner.pid} already runs with the data folder ${data}.`,
        {
          next: 'Stop it with interlock down, or choose another folder with --data.',
        },
      );
    const ended = await endLeftovers(before);
    const names =
      ended.length === 0 ? 'nothing of it runs' : `ended ${ended.map(({ name }) => name).join(', ')}`;
    report(`process ${before.owner.pid} ended without stopping what it had started: ${names}`);
  }
  await writeLock(data, { services: [], servers: [] });
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** Writes down which processes are to be ended should this one crash. */
export async function writeLock(data: string, { services, servers }: Owned): Promise<void> {
  const up = { name: 'up', pid: process.pid };
  const began = await beganAt([up, ...services, ...servers].map(({ pid }) => pid));
  const known = ({ name, pid }: { name: string; pid: number }) => {
    const at = began.get(pid);
    return at === undefined ? [] : [{ name, pid, began: at }];
  };
  const [owner] = known(up);
  if (owner === undefined) throw new Failure('lock_failed', 'The program ps does not list this process.');
  const lock: Lock = { owner, services: services.flatMap(known), servers: servers.flatMap(known) };
  await writePrivate(dataFiles(data).lock, `${JSON.stringify(lock)}\n`);
}

/**
 * Asks the owner of a data folder to stop and waits until it has ended; ends what it left if it had crashed. Returns the
 * processes that were stopped, the owner first; none when nothing ran. Throws `stop_timeout`.
 */
export async function stopOwner(data: string): Promise<KnownProcess[]> {
  const { lock: file } = dataFiles(data);
  const found = parseLock(await readIfPresent(file));
  if (found === undefined) return [];
  const { owner, servers } = found;
  if (await isRunning(owner)) {
    process.kill(owner.pid, 'SIGTERM');
    if (await endsWithin(owner, OWNER_STOP_MS)) return [owner, ...servers];
    throw new Failure(
      'stop_timeout',
      `Process ${owner.pid} was asked to stop, and still runs after ${OWNER_STOP_MS / 1_000} s.`,
      {
        next: `Read its output and logs. To end it by force: kill -9 ${owner.pid}, and interlock down again.`,
      },
    );
  }
  const left = await endLeftovers(found);
  await rm(file, { force: true });
  return left;
}

/** Ends what a crashed owner left: services first, which need the servers to finish. Returns what still ran. */
async function endLeftovers({ services, servers }: Lock): Promise<KnownProcess[]> {
  const ended: KnownProcess[] = [];
  for (const group of [services, servers]) {
    const left = await Promise.all(group.map(async (one) => ((await endLeftover(one)) ? [one] : [])));
    ended.push(...left.flat());
  }
  return ended;
}

/** Ends a process whose owner crashed. Returns false when it does not run any more. */
async function endLeftover(leftover: KnownProcess): Promise<boolean> {
  if (!(await isRunning(leftover))) return false;
  // A paused process handles SIGTERM only after it goes on.
  process.kill(leftover.pid, 'SIGTERM');
  process.kill(leftover.pid, 'SIGCONT');
  if (await endsWithin(leftover, LEAVE_MS)) return true;
  process.kill(leftover.pid, 'SIGKILL');
  await endsWithin(leftover, KILLED_MS);
  return true;
}

async function endsWithin(one: KnownProcess, timeoutMs: number): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  while (await isRunning(one)) {
    if (systemClock.monotonicMs() > endMs) return false;
    await systemClock.sleep(POLL_MS);
  }
  return true;
}

async function isRunning({ pid, began }: KnownProcess): Promise<boolean> {
  const now = (await beganAt([pid])).get(pid);
  return now !== undefined && Math.abs(now - began) <= BEGAN_TOLERANCE_MS;
}

/** Returns when each process began, milliseconds since the epoch, without those that do not run. */
async function beganAt(pids: readonly number[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const line of (await listed(pids)).trim().split('\n')) {
    const [pid = '', state = '', ...words] = line.trim().split(/\s+/);
    const began = Date.parse(`${words.join(' ')} UTC`);
    // A zombie (Z) has ended.
    if (!state.startsWith('Z') && !Number.isNaN(began)) found.set(Number(pid), began);
  }
  return found;
}

async function listed(pids: readonly number[]): Promise<string> {
  const args = ['-o', 'pid=,stat=,lstart=', '-p', pids.join(',')];
  try {
    const env = { LC_ALL: 'C', TZ: 'UTC' };
    return (await promisify(execFile)('ps', args, { timeout: PS_TIMEOUT_MS, env })).stdout;
  } catch {
    // It ends with 1 where none of them runs.
    return '';
  }
}

function parseLock(text: string | undefined): Lock | undefined {
  if (text === undefined) return undefined;
  try {
    return lockSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
