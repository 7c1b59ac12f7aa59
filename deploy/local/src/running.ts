/** An installation that runs, as its owner handles it. */
import type { Context } from '@interlock/cli';
import { Failure, systemClock } from '@interlock/shell';
import { untilReady } from './readiness.ts';
import { SINGLE, servicesOf } from './services.ts';
import type { SupervisedProcess } from './supervise.ts';

const POLL_MS = 25;
const RESTART_TIMEOUT_MS = 60_000;

export interface RunningService {
  name: string;
  pid: number;
  url: string | undefined;
  healthUrl: string;
}

/** An installation that runs. Disposing it stops services first, then servers. */
export interface RunningInterlock extends AsyncDisposable {
  readonly ingress: string;
  readonly console: string;
  readonly data: string;
  /** People's tokens and agents' keys. */
  readonly context: Context;
  /** The services as they are now; after a restart their process ids differ. */
  readonly services: RunningService[];
  /** The process ids of servers that were started here. */
  readonly servers: { name: string; pid: number }[];
  /** Sends a signal to one process, by the name of a service (or a server). Throws `process_unknown`. */
  signal(name: string, signal: NodeJS.Signals): void;
  /**
   * Stops one process in order and waits until its successor is ready, or `signal` aborts the waiting. Ingress is stopped
   * when its successor is ready.
   */
  restart(name: string, signal?: AbortSignal): Promise<void>;
  /** Waits until every service is ready. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** The processes of an installation, and what it answers at. */
export interface RunningParts {
  data: string;
  ingress: string;
  console: string;
  context: Context;
  children: readonly SupervisedProcess[];
  serverChildren: readonly SupervisedProcess[];
}

/** Returns the handle of an installation; `owned` stops it. */
export function runningInterlock(parts: RunningParts, owned: AsyncDisposableStack): RunningInterlock {
  const { data, ingress, console, context, children, serverChildren } = parts;
  const find = (name: string): SupervisedProcess => {
    const all = [...children, ...serverChildren];
    const found = all.find((child) => child.name === name) ?? children.find((child) => child.name === SINGLE);
    if (found === undefined) throw new Failure('process_unknown', `No process is named ${name}.`);
    return found;
  };
  const never = new AbortController().signal;
  return {
    data,
    ingress,
    console,
    context,
    get services() {
      return servicesOf(children).map(({ service, pid, url, healthUrl }) => ({
        name: service,
        pid,
        url,
        healthUrl,
      }));
    },
    get servers() {
      return pidsOf(serverChildren);
    },
    signal: (name, signal) => void find(name).signal(signal),
    restart: async (name, signal = never) => {
      const child = find(name);
      const { starts } = child;
      if (child.spec.overlaps === true) child.replace();
      else child.signal('SIGTERM');
      await untilStartedAgain(child, starts, signal);
      if (children.includes(child)) await untilReady([child], signal);
    },
    ready: () => untilReady(children, never),
    stop: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns the processes that run now. */
export function pidsOf(children: readonly SupervisedProcess[]): { name: string; pid: number }[] {
  return children.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
}

async function untilStartedAgain(
  child: SupervisedProcess,
  starts: number,
  signal: AbortSignal,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + RESTART_TIMEOUT_MS;
  while (child.starts === starts || child.pid === undefined) {
    if (systemClock.monotonicMs() > endMs)
      throw new Failure(
        'service_failed',
        `${child.name} was not started again within ${RESTART_TIMEOUT_MS / 1_000} s.`,
      );
    await systemClock.sleep(POLL_MS, signal);
  }
}
