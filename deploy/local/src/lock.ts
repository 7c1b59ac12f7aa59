/** One `interlock up` for a data folder: its processes are written down, so that those a crash left are found. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { readIfPresent, writePrivate } from '@interlock/cli';
import { Failure, systemClock } from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './installation-files.ts';

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

async function endLeftover(leftover: KnownProcess): Promise<void> {
  const endMs = systemClock.monotonicMs() + LEAVE_MS;
  if (!(await isRunning(leftover))) return;
  process.kill(leftover.pid, 'SIGTERM');
  while (await isRunning(leftover)) {
    if (systemClock.monotonicMs() > endMs) return void process.kill(leftover.pid, 'SIGKILL');
    await systemClock.sleep(POLL_MS);
  }
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
