/**
 * Real servers as children of the test process.
 *
 * T1. A server gets a free port and a temporary folder of its own, and keeps both when it is restarted.
 * T2. It is ready when its own protocol answers, never after a while.
 * T3. It does not outlive the test process: a guard holds a pipe from it and kills the server when the pipe breaks.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processEnvironment } from '@interlock/shell';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';

const READY_DEADLINE_MS = 20_000;
const ANSWER_DEADLINE_MS = 2_000;
/** A server that does not stop by then is killed. */
const STOP_MS = 5_000;
/** Between finding a free port and using it another process may take it. */
const STARTS_MAX = 3;
/** The end of a server's output, for the error. */
const OUTPUT_MAX_CHARACTERS = 4_000;

/** How to start a server and to know that it is ready. */
export interface ServerRecipe {
  /** The environment variable that names the binary. */
  variable: string;
  /** The program on the PATH when the variable is not set. */
  program: string;
  /** Writes what it needs into its folder and returns its arguments. */
  prepare: (folder: string, port: number) => Promise<string[]> | string[];
  /** What is sent when connected; nothing for servers that speak first. */
  greeting?: Uint8Array;
}

/** A server that runs. Disposing it stops it and removes its folder. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  readonly pid: number;
  /** Stops it (SIGSTOP): connections stay open and nothing answers once this resolves. */
  pause(): Promise<void>;
  resume(): void;
  /** Kills it as a crash would (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, after stopping it if it runs; resolves when it is ready. */
  restart(): Promise<void>;
}

/** Starts a server and resolves when it is ready. Throws with the server's output when it is not ready in time. */
export async function startServer(recipe: ServerRecipe): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'interlock-test-'));
  try {
    return await startOnFreePort(recipe, folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startOnFreePort(recipe: ServerRecipe, folder: string): Promise<ServerProcess> {
  for (let start = 1; ; start += 1) {
    const port = await freePort();
    try {
      return new ServerChild(recipe, folder, port, await launch(recipe, folder, port));
    } catch (error) {
      if (start === STARTS_MAX) throw error;
    }
  }
}

class ServerChild implements ServerProcess {
  readonly port: number;
  readonly folder: string;
  readonly #recipe: ServerRecipe;
  #running: Launched;

  constructor(recipe: ServerRecipe, folder: string, port: number, running: Launched) {
    this.#recipe = recipe;
    this.folder = folder;
    this.port = port;
    this.#running = running;
  }

  get pid(): number {
    return this.#running.pid;
  }

  async pause(): Promise<void> {
    this.#running.child.kill('SIGSTOP');
    await untilStopped(this.pid);
  }

  resume(): void {
    this.#running.child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#running.child.kill('SIGKILL');
    await this.#running.ended;
  }

  async restart(): Promise<void> {
    await end(this.#running);
    this.#running = await launch(this.#recipe, this.folder, this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#running);
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Launched {
  child: ChildProcess;
  pid: number;
  /** Resolves when the process has ended. */
  ended: Promise<void>;
}

async function launch(recipe: ServerRecipe, folder: string, port: number): Promise<Launched> {
  const { [recipe.variable]: named, PATH = '' } = processEnvironment();
  const program = named || recipe.program;
  const child = spawn(program, await recipe.prepare(folder, port), {
    cwd: folder,
    env: { PATH, HOME: folder, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collectOutput(child);
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (cause) => {
      reject(
        new Error(`${program} does not start: set ${recipe.variable} or put it on the PATH.`, { cause }),
      );
    });
    child.once('exit', () => reject(new Error(`${program} ended before it was ready:\n${output()}`)));
  });
  // Once the server is ready, its end is not a failure to start any more.
  failed.catch(() => undefined);
  const ended = once(child, 'close').then(() => undefined);
  ended.catch(() => undefined);
  const { pid } = child;
  if (pid === undefined) return await failed;
  const dismiss = guard(pid);
  void ended.then(dismiss, dismiss);
  const launched = { child, pid, ended };
  try {
    await Promise.race([eventually(() => answers(port, recipe.greeting), READY_DEADLINE_MS), failed]);
    return launched;
  } catch (cause) {
    await end(launched);
    throw new Error(`${program} was not ready in time:\n${output()}`, { cause });
  }
}

/** Stops a server by SIGTERM, and by SIGKILL when that takes too long. A second call finds it ended. */
async function end({ child, ended }: Launched): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended.finally(() => clearTimeout(force));
  }
  await ended;
}

/** Kills a process when this one ends, however it ends (T3). Returns how to dismiss the guard. */
function guard(pid: number): () => void {
  const script = 'read -r word; test "$word" = dismissed || kill -9 "$1"';
  const watcher = spawn('/bin/sh', ['-c', script, 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // A session of its own: an interrupt from the terminal must not end the guard before its charge.
    detached: true,
  });
  watcher.unref();
  watcher.on('error', () => undefined);
  watcher.stdin.on('error', () => undefined);
  return () => {
    watcher.stdin.end('dismissed\n');
  };
}

function collectOutput(child: ChildProcess): () => string {
  let output = '';
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_MAX_CHARACTERS);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  return () => output;
}

/** Resolves to true when a server at the port sends something (T2). */
async function answers(port: number, greeting: Uint8Array | undefined): Promise<true> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    await once(socket, 'connect', { signal });
    if (greeting !== undefined) socket.write(greeting);
    await once(socket, 'data', { signal });
    return true;
  } finally {
    socket.destroy();
  }
}

/** Waits until a process that was sent SIGSTOP does nothing more: on a busy machine its threads run on for a while. */
export async function untilStopped(pid: number): Promise<void> {
  while (!(await isStopped(pid)));
}

/** True when the kernel has stopped every thread of a process. Where there is no `/proc` to read, that is assumed. */
async function isStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => ') T')),
  );
  // The state follows the name of the program, which stands in brackets.
  return states.every((text) => /^T/.test(text.slice(text.lastIndexOf(')') + 2)));
}
