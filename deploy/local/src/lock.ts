/** One `interlock up` for a data folder: who runs is written down, and what a crash left behind is found. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { dataFiles, readIfThere, writePrivate } from '@interlock/cli';
import { Failure, systemClock } from '@interlock/shell';
import { z } from 'zod';

const processSchema = z.strictObject({
  name: z.string(),
  pid: z.int().positive(),
  /** When it began, milliseconds since the epoch: with the pid it tells one process from all others. */
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
/** `ps` tells the beginning in whole seconds, and not always the same one. */
const BEGAN_TOLERANCE_MS = 5_000;
/** Servers that were left behind write what they hold and end. */
const LEAVE_MS = 10_000;
const POLL_MS = 50;

/** Takes a data folder for this process and ends what a crashed run left. Throws `already_running`. */
export async function takeLock(data: string, say: (line: string) => void): Promise<AsyncDisposable> {
  const { lock: file } = dataFiles(data);
  const before = parseLock(await readIfThere(file));
  if (before !== undefined) {
    if (await lives(before.owner))
      throw new Failure(
        'already_running',
        `Process ${before.owner.pid} runs with the data folder ${data} already.`,
        {
          next: 'Stop it first, or choose another folder with --data.',
        },
      );
    say(`process ${before.owner.pid} ended without tidying up; what it left is stopped`);
    await Promise.all(before.children.map(endLeftover));
  }
  await writeLock(data, []);
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** Writes down which processes are to be ended should this one crash. */
export async function writeLock(data: string, children: { name: string; pid: number }[]): Promise<void> {
  const known = await Promise.all([{ name: 'up', pid: process.pid }, ...children].map(describe));
  const [owner, ...others] = known.filter((entry) => entry !== undefined);
  if (owner === undefined) throw new Failure('lock_failed', 'The program ps does not tell of this process.');
  await writePrivate(dataFiles(data).lock, `${JSON.stringify({ owner, children: others })}\n`);
}

async function endLeftover(leftover: KnownProcess): Promise<void> {
  const endMs = systemClock.monotonicMs() + LEAVE_MS;
  if (!(await lives(leftover))) return;
  process.kill(leftover.pid, 'SIGTERM');
  while (await lives(leftover)) {
    if (systemClock.monotonicMs() > endMs) return void process.kill(leftover.pid, 'SIGKILL');
    await systemClock.sleep(POLL_MS);
  }
}

async function lives({ pid, began }: KnownProcess): Promise<boolean> {
  const now = await beganAt(pid);
  return now !== undefined && Math.abs(now - began) <= BEGAN_TOLERANCE_MS;
}

async function describe({ name, pid }: { name: string; pid: number }): Promise<KnownProcess | undefined> {
  const began = await beganAt(pid);
  return began === undefined ? undefined : { name, pid, began };
}

/** Returns when a process began, or undefined when there is none. */
async function beganAt(pid: number): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      timeout: PS_TIMEOUT_MS,
      env: { LC_ALL: 'C', TZ: 'UTC' },
    });
    const [state = '', ...words] = stdout.trim().split(/\s+/);
    const began = Date.parse(`${words.join(' ')} UTC`);
    // A process that ended and was not yet waited for is gone.
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
