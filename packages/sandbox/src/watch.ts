/**
 * Looks after the processes of local servers, where the system has /proc. The kernel's own limits count for a process
 * or for a user; these count for a server with everything it started. A server above one is ended with all of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { LocalServerConnection } from '@interlock/contracts';

type Limits = LocalServerConnection['limits'];

/** Between two looks a server may take some hundred megabytes more than it may have. */
const LOOK_MS = 200;

export interface Watched {
  pid: number;
  limits: Limits;
  /** Called once, before the processes are ended. */
  onExceeded: (what: string) => void;
}

interface Account {
  watched: Watched;
  /** Bytes each process had written at the last look. */
  written: Map<number, number>;
  outputBytes: number;
}

/** One timer for all servers of a process, and none where there is no server. */
export class Watch implements Disposable {
  readonly #accounts = new Set<Account>();
  #timer: NodeJS.Timeout | undefined;

  /** Watches a process and what it starts. Returns how to tell that a request was sent, and how to end watching. */
  add(watched: Watched): { requested: () => void; end: () => void } {
    const account: Account = { watched, written: new Map(), outputBytes: 0 };
    this.#accounts.add(account);
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
    return {
      requested: () => {
        account.outputBytes = 0;
      },
      end: () => this.#remove(account),
    };
  }

  /** Looks at every server once. */
  look(): void {
    for (const account of this.#accounts) {
      const { pid, limits, onExceeded } = account.watched;
      const tree = treeOf(pid, limits.processes);
      const what = exceeded(account, tree);
      if (what === undefined) continue;
      this.#remove(account);
      onExceeded(what);
      // The first is the parent of all: where it is bubblewrap, the kernel ends the others with it.
      for (const { pid: one } of tree) end(one);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#accounts.clear();
  }

  #remove(account: Account): void {
    this.#accounts.delete(account);
    if (this.#accounts.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

interface Process {
  pid: number;
  threads: number;
}

/** Returns a process and everything below it, until there are more threads than are allowed. */
function treeOf(root: number, threadsMax: number): Process[] {
  const found: Process[] = [];
  const next = [root];
  for (let pid = next.pop(), threads = 0; pid !== undefined; pid = next.pop()) {
    const tasks = namesIn(`/proc/${pid}/task`);
    if (tasks.length === 0) continue;
    found.push({ pid, threads: tasks.length });
    threads += tasks.length;
    if (threads > threadsMax) break;
    for (const task of tasks) next.push(...numbersIn(`/proc/${pid}/task/${task}/children`));
  }
  return found;
}

function exceeded(account: Account, tree: readonly Process[]): string | undefined {
  const { limits } = account.watched;
  const threads = tree.reduce((sum, process) => sum + process.threads, 0);
  if (threads > limits.processes) return `more than ${limits.processes} processes and threads`;
  const memory = tree.reduce((sum, { pid }) => sum + memoryOf(pid), 0);
  if (memory > limits.memoryBytes) return `more than ${limits.memoryBytes} bytes of memory`;
  for (const { pid } of tree) {
    const bytes = writtenBy(pid);
    account.outputBytes += Math.max(0, bytes - (account.written.get(pid) ?? 0));
    account.written.set(pid, bytes);
  }
  if (account.outputBytes > limits.outputBytes)
    return `more than ${limits.outputBytes} bytes of output for one request`;
  return undefined;
}

/** Memory that is a process's own, or shared with others of its server: in RAM and swapped out. */
function memoryOf(pid: number): number {
  const status = textOf(`/proc/${pid}/status`);
  const kilobytes = [...status.matchAll(/^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm)];
  return kilobytes.reduce((sum, match) => sum + Number(match[1]) * 1_024, 0);
}

function writtenBy(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(textOf(`/proc/${pid}/io`))?.[1] ?? 0);
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function numbersIn(file: string): number[] {
  return textOf(file)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
