/**
 * Child processes that are meant to stay: what dies is started again with growing pauses.
 *
 * 1. A process leads its own group, so that an interrupt at the terminal reaches this process alone and the
 *    children are stopped in order.
 * 2. While a process is being stopped it is not started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { readIfThere } from '@interlock/cli';
import { type Environment, systemClock } from '@interlock/shell';
import { z } from 'zod';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** Who lived this long starts with the first pause again. */
const ALIVE_MS = 30_000;
/** Longer than services take to drain and flush (15 s and 4 s). */
const STOP_MS = 22_000;
const LOG_MODE = 0o600;
const LOG_END_LINES = 3;
/** A third of the share of the others (nice 5): enough to catch up, never enough to hold them up. */
const YIELDING_PRIORITY = 5;

const readyMessageSchema = z.object({
  type: z.literal('ready'),
  service: z.string(),
  url: z.string().optional(),
  healthUrl: z.string(),
  pid: z.int(),
});
/** What a process says over its channel, once for each service it runs. */
export type Ready = z.infer<typeof readyMessageSchema>;

export interface ProcessPlan {
  name: string;
  command: string;
  args: readonly string[];
  env: Environment;
  cwd: string;
  logFile: string;
  /** True when the process tells over a channel that it is ready. */
  speaks: boolean;
  /** True when it gives way to the others where processors are short. */
  yields?: boolean;
}

/** One process and its successors. */
export class SupervisedProcess {
  readonly plan: ProcessPlan;
  readonly #say: (line: string) => void;
  readonly #onLife: () => void;
  readonly #ready = new Map<string, Ready>();
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #lives = 0;
  #lastEnd = 'has not started';
  #ended: Promise<void> | undefined;

  /** `onLife` is called after each start. */
  constructor(plan: ProcessPlan, say: (line: string) => void, onLife: () => void = () => undefined) {
    this.plan = plan;
    this.#say = say;
    this.#onLife = onLife;
  }

  get name(): string {
    return this.plan.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it was started. */
  get lives(): number {
    return this.#lives;
  }

  /** How its last life ended. */
  get lastEnd(): string {
    return this.#lastEnd;
  }

  /** What it said since it was last started. */
  get ready(): Ready[] {
    return [...this.#ready.values()];
  }

  /** Starts it and keeps it alive until `stop`. */
  start(): void {
    this.#ended ??= this.#keepAlive();
  }

  /** Sends a signal to the process that lives now. Returns false when there is none. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  /** Asks it to end, ends it by force when it does not, and starts it no more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (child !== undefined) {
      // A process that was paused takes no signal but these.
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await this.#ended;
      clearTimeout(force);
    }
    await this.#ended;
  }

  async #keepAlive(): Promise<void> {
    let pauseMs = BACKOFF_FIRST_MS;
    while (!this.#stopping.signal.aborted) {
      const startedMs = systemClock.monotonicMs();
      const how = await this.#live();
      this.#lastEnd = how;
      if (this.#stopping.signal.aborted) return;
      if (systemClock.monotonicMs() - startedMs >= ALIVE_MS) pauseMs = BACKOFF_FIRST_MS;
      this.#say(`${this.name} ${how}; it is started again in ${pauseMs} ms (log: ${this.plan.logFile})`);
      await systemClock.sleep(pauseMs, this.#stopping.signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
    }
  }

  /** Runs the process once and returns how it ended. */
  async #live(): Promise<string> {
    const { command, args, env, cwd, logFile, speaks, yields } = this.plan;
    this.#ready.clear();
    this.#lives += 1;
    const log = openSync(logFile, 'a', LOG_MODE);
    try {
      const child = spawn(command, args, {
        cwd,
        env,
        detached: true,
        stdio: speaks ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      });
      this.#child = child;
      if (yields === true && child.pid !== undefined) giveWay(child.pid);
      this.#onLife();
      child.on('message', (message) => this.#hear(message));
      const [code, signal] = await once(child, 'exit');
      return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    } catch (error) {
      return `does not start: ${error instanceof Error ? error.message : 'unknown'}`;
    } finally {
      this.#child = undefined;
      closeSync(log);
    }
  }

  #hear(message: unknown): void {
    const parsed = readyMessageSchema.safeParse(message);
    if (parsed.success) this.#ready.set(parsed.data.service, parsed.data);
  }
}

/** Returns the last lines a process wrote, for who reads why it failed. */
export async function endOfLog({ logFile }: ProcessPlan): Promise<string> {
  const log = (await readIfThere(logFile)) ?? '';
  return log.trim().split('\n').slice(-LOG_END_LINES).join('\n  ');
}

/**
 * Lowers a process's share. A process that leads a session is weighed by its session on Linux where autogroups are on,
 * so both are told. One that has ended meanwhile, or a system without priorities, changes nothing.
 */
function giveWay(pid: number): void {
  for (const lower of [
    () => setPriority(pid, YIELDING_PRIORITY),
    () => writeFileSync(`/proc/${pid}/autogroup`, String(YIELDING_PRIORITY), { flag: 'r+' }),
  ]) {
    try {
      lower();
    } catch {
      // It runs like the others then.
    }
  }
}
