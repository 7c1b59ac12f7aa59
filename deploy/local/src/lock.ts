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
  /** Processes that outlive a crash of the owner. */
  children: z.array(processSchema),
});
type Lock = z.infer<typeof lockSchema>;

const PS_TIMEOUT_MS = 5_000;
/** `ps` prints the start in whole seconds, and not always the same one. */
const BEGAN_TOLERANCE_MS = 5_000;
/** Servers that a crash left write what they hold and end. */
const LEAVE_MS = 10_000;
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
    report(`process ${before.owner.pid} ended without stopping its servers; they are stopped now`);
    await Promise.all(before.children.map(endLeftover));
  }
  await writeLock(data, []);
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** Writes down which processes are to be ended should this one crash. */
export async function writeLock(data: string, children: { name: string; pid: number }[]): Promise<void> {
  const known = await Promise.all([{ name: 'up', pid: process.pid }, ...children].map(describe));
  const [owner, ...others] = known.filter((entry) => entry !== undefined);
  if (owner === undefined) throw new Failure('lock_failed', 'The program ps does not list this process.');
  await writePrivate(dataFiles(data).lock, `${JSON.stringify({ owner, children: others })}\n`);
}

/**
 * Asks the owner of a data folder to stop and waits until it has ended; ends what it left if it had crashed. Returns the
 * processes that were stopped, the owner first; none when nothing ran. Throws `stop_timeout`.
 */
export async function stopOwner(data: string): Promise<KnownProcess[]> {
  const { lock: file } = dataFiles(data);
  const found = parseLock(await readIfPresent(file));
  if (found === undefined) return [];
  const { owner, children } = found;
  if (await isRunning(owner)) {
    process.kill(owner.pid, 'SIGTERM');
    if (await endsWithin(owner, OWNER_STOP_MS)) return [owner, ...children];
    throw new Failure(
      'stop_timeout',
      `Process ${owner.pid} was asked to stop, and still runs after ${OWNER_STOP_MS / 1_000} s.`,
      {
        next: `Read its output and logs. To end it by force: kill -9 ${owner.pid}, and interlock down again.`,
      },
    );
  }
  const left = await Promise.all(children.map(async (child) => ((await endLeftover(child)) ? [child] : [])));
  await rm(file, { force: true });
  return left.flat();
}

/** Ends a process whose owner crashed. Returns false when it does not run any more. */
async function endLeftover(leftover: KnownProcess): Promise<boolean> {
  if (!(await isRunning(leftover))) return false;
  process.kill(leftover.pid, 'SIGTERM');
  if (!(await endsWithin(leftover, LEAVE_MS))) process.kill(leftover.pid, 'SIGKILL');
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
  const now = await beganAt(pid);
  return now !== undefined && Math.abs(now - began) <= BEGAN_TOLERANCE_MS;
}

async function describe({ name, pid }: { name: string; pid: number }): Promise<KnownProcess | undefined> {
  const began = await beganAt(pid);
  return began === undefined ? undefined : { name, pid, began };
}

/** Returns when a process began, or undefined when it does not run. */
async function beganAt(pid: number): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      timeout: PS_TIMEOUT_MS,
      env: { LC_ALL: 'C', TZ: 'UTC' },
    });
    const [state = '', ...words] = stdout.trim().split(/\s+/);
    const began = Date.parse(`${words.join(' ')} UTC`);
    // A zombie (Z) has ended.
    return state.startsWith('Z') || Number.isNaN(began) ? undefined : began;
  } catch {
    return undefined;
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
