/**
 * Child processes that are to stay: a process that ends is started again, after growing pauses.
 *
 * S1. A process leads its own group, so that an interrupt at the terminal reaches this process alone and the
 *     children are stopped in order.
 * S2. A process that is being stopped is not started again.
 * S3. A process that crashes writes no image of its memory, which holds keys, to the disk.
 * S4. A process that overlaps is followed by its successor while it still works or finishes: both listen on a socket
 *     that is held here. It is asked to end when its successor is ready.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import {
  BackOff,
  type Environment,
  type Repeating,
  readIfPresent,
  repeat,
  systemClock,
} from '@interlock/shell';
import { z } from 'zod';

const BACKOFF_FIRST_MS = 250;
/** With the time of a start below the ten seconds within which everything recovers, however often a process ended. */
const BACKOFF_MAX_MS = 3_000;
/** A process that was ready can start: nothing is gained by waiting longer. */
const READY_PAUSE_MAX_MS = 500;
/** A process that ran this long is started again after the first pause. */
const STABLE_MS = 30_000;
/** Longer than services take to drain and flush (15 s and 4 s). */
export const STOP_MS = 22_000;
/** S3. Node itself cannot set a limit of its children. */
const SHELL = '/bin/sh';
const WITHOUT_CORE = 'ulimit -c 0 && exec "$@"';
const LOG_MODE = 0o600;
const LOG_END_LINES = 3;
/** A third of the share of the others (nice 5): enough to catch up, never enough to hold them up. */
const LOW_PRIORITY = 5;

/** The first one after standard input, output, error and the channel of messages. */
export const INHERITED_FD = 4;

const readyMessageSchema = z.object({
  type: z.literal('ready'),
  service: z.string(),
  url: z.string().optional(),
  healthUrl: z.string(),
  pid: z.int(),
});
const messageSchema = z.discriminatedUnion('type', [
  readyMessageSchema,
  z.object({ type: z.literal('leaving') }),
]);
/** What a process sends over its channel, once for each service it runs. */
export type Ready = z.infer<typeof readyMessageSchema>;

/** How a process is started. */
export interface ProcessSpec {
  name: string;
  command: string;
  args: readonly string[];
  env: Environment;
  cwd: string;
  logFile: string;
  /** A socket the process makes: one that a killed process left would keep it from starting. */
  socket?: string;
  /** True when the process sends a message over an IPC channel as soon as it is ready. */
  reportsReady: boolean;
  /** True when the others come first where processors are short. */
  lowPriority?: boolean;
  /** A socket that it inherits as `INHERITED_FD`. */
  inherits?: number;
  /** True when two of it can run at once (S4). */
  overlaps?: boolean;
}

/** One process, started again whenever it ends. */
export class SupervisedProcess {
  readonly spec: ProcessSpec;
  readonly #report: (line: string) => void;
  readonly #onChange: () => void;
  readonly #ready = new Map<string, Ready>();
  #child: ChildProcess | undefined;
  /** Processes whose place another one takes (S4), until they have ended. */
  readonly #outgoing = new Set<ChildProcess>();
  #leave: () => void = () => undefined;
  #starts = 0;
  #lastEnd = 'has not started';
  #running: Repeating | undefined;

  /** `onChange` is told when it was started, and when one of its services is ready. */
  constructor(spec: ProcessSpec, report: (line: string) => void, onChange: () => void = () => undefined) {
    this.spec = spec;
    this.#report = report;
    this.#onChange = onChange;
  }

  get name(): string {
    return this.spec.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** How it ended the last time, such as `ended with code 1`. */
  get lastEnd(): string {
    return this.#lastEnd;
  }

  /** The services that are ready since the last start. */
  get ready(): Ready[] {
    return [...this.#ready.values()];
  }

  /** Starts it and keeps it running until `stop`. */
  start(): void {
    this.#running ??= this.#keepRunning();
  }

  /** Sends a signal to the running process. Returns false when none runs. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  /** Starts a successor, and asks the process to end when that one is ready (S4). */
  replace(): void {
    this.#leave();
  }

  /** Asks the process to end, ends it by force after `STOP_MS`, and does not start it again (S2). */
  async stop(): Promise<void> {
    const ended = this.#running?.[Symbol.asyncDispose]();
    const children = [this.#child, ...this.#outgoing].filter((child) => child !== undefined);
    await Promise.all([ended, ...children.map(end)]);
  }

  #keepRunning(): Repeating {
    const backOff = new BackOff({ firstMs: BACKOFF_FIRST_MS, maxMs: BACKOFF_MAX_MS });
    let pauseMs = BACKOFF_FIRST_MS;
    const report = (_: object, line: string) => this.#report(line);
    const log = { info: report, warn: report };
    const task = `running ${this.name}`;
    return repeat({ clock: systemClock, log, task, waitMs: () => pauseMs }, async (stopped) => {
      const startedMs = systemClock.monotonicMs();
      const how = await this.#runOnce(stopped);
      if (stopped.aborted) return;
      if (how === undefined) {
        this.#report(`${this.name} finishes, and another process takes its place`);
        pauseMs = 0;
        return;
      }
      this.#lastEnd = how;
      if (systemClock.monotonicMs() - startedMs >= STABLE_MS) backOff.reset();
      const nextMs = backOff.next();
      pauseMs = this.#ready.size > 0 ? Math.min(nextMs, READY_PAUSE_MAX_MS) : nextMs;
      this.#report(`${this.name} ${how}; it is started again in ${pauseMs} ms (log: ${this.spec.logFile})`);
    });
  }

  /** Runs the process until it ends, and returns how; undefined when it leaves its place to another one (S4). */
  async #runOnce(stopped: AbortSignal): Promise<string | undefined> {
    const { command, args, env, cwd, logFile, socket, reportsReady, lowPriority, inherits } = this.spec;
    this.#ready.clear();
    this.#starts += 1;
    let log: number | undefined;
    try {
      log = openSync(logFile, 'a', LOG_MODE);
      if (socket !== undefined) rmSync(socket, { force: true });
      // The shell gives its place to the program: the process id and the channel stay.
      const child = spawn(SHELL, ['-c', WITHOUT_CORE, SHELL, command, ...args], {
        cwd,
        env,
        // S1
        detached: true,
        stdio: [
          ...['ignore' as const, log, log],
          ...(reportsReady ? ['ipc' as const] : []),
          ...(inherits === undefined ? [] : [inherits]),
        ],
      });
      this.#child = child;
      if (lowPriority === true && child.pid !== undefined) lowerPriority(child.pid);
      this.#onChange();
      child.on('message', (message) => {
        if (child === this.#child) this.#receive(message);
      });
      const left = new Promise<undefined>((resolve) => {
        this.#leave = () => {
          if (this.spec.overlaps === true && !stopped.aborted) resolve(undefined);
        };
      });
      const ended = howItEnds(child);
      const how = await Promise.race([ended, left]);
      if (how === undefined) {
        this.#outgoing.add(child);
        void ended.finally(() => this.#outgoing.delete(child));
      }
      return how;
    } catch (error) {
      return `cannot be started: ${error instanceof Error ? error.message : 'unknown'}`;
    } finally {
      this.#child = undefined;
      if (log !== undefined) closeSync(log);
    }
  }

  #receive(message: unknown): void {
    const { data: parsed } = messageSchema.safeParse(message);
    if (parsed?.type === 'leaving') this.#leave();
    if (parsed?.type !== 'ready') return;
    this.#ready.set(parsed.service, parsed);
    for (const child of this.#outgoing) void end(child);
    this.#onChange();
  }
}

/** Resolves when a process has ended, or could not be started. */
async function howItEnds(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = await once(child, 'exit');
    return signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
  } catch (error) {
    return `cannot be started: ${error instanceof Error ? error.message : 'unknown'}`;
  }
}

/** Asks a process to end, and ends it by force after `STOP_MS`. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = howItEnds(child);
  // A paused process handles SIGTERM only after it goes on.
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(force);
}

/** Returns the last lines of a process's log. */
export async function endOfLog({ logFile }: ProcessSpec): Promise<string> {
  const log = (await readIfPresent(logFile)) ?? '';
  return log.trim().split('\n').slice(-LOG_END_LINES).join('\n  ');
}

/**
 * Lowers a process's share of the processors. Where Linux groups processes by session (autogroup), the session has a
 * priority of its own. A process that has ended, or a system without priorities, makes no difference.
 */
function lowerPriority(pid: number): void {
  for (const lower of [
    () => setPriority(pid, LOW_PRIORITY),
    () => writeFileSync(`/proc/${pid}/autogroup`, String(LOW_PRIORITY), { flag: 'r+' }),
  ]) {
    try {
      lower();
    } catch {
      // It runs with the priority of the others.
    }
  }
}
