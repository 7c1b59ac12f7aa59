/** An installation that runs in the foreground, until SIGTERM or SIGINT. */
import { type CommonOptions, print, report, table } from '@interlock/cli';
import type { InterlockOptions } from '../installation.ts';
import type { RunningInterlock } from '../running.ts';

type Options = Pick<InterlockOptions, 'config' | 'data' | 'ports' | 'single' | 'agree' | 'confirmRemovals'>;

/** Starts an installation, prints where it is, and stops it when `whileRunning` resolves: at the latest after a signal. */
export async function runUntilStopped(
  output: CommonOptions,
  options: Options,
  whileRunning: (interlock: RunningInterlock, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort();
  process.on('SIGTERM', end).on('SIGINT', end);
  // A full disk, or a reader of its output that is gone, does not stop an installation.
  process.stdout.on('error', ignore);
  process.stderr.on('error', ignore);
  try {
    await using interlock = await startUnlessStopped(options, stop.signal);
    if (interlock === undefined) return;
    print(output, resultOf(interlock), textOf(interlock));
    await whileRunning(interlock, stop.signal);
    report('stopping');
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end);
    process.stdout.off('error', ignore);
    process.stderr.off('error', ignore);
  }
}

function ignore(): void {}

async function startUnlessStopped(
  options: Options,
  signal: AbortSignal,
): Promise<RunningInterlock | undefined> {
  // Loaded here: no other command needs what servers and services are started with.
  const { startInterlock } = await import('../installation.ts');
  try {
    return await startInterlock({ ...options, report, progress: report, signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function resultOf({ ingress, console, services, servers, data }: RunningInterlock) {
  return {
    ingress,
    console,
    services: services.map(({ name, pid, url }) => ({ name, pid, url })),
    servers,
    data,
  };
}

function textOf({ ingress, console, services, servers, data }: RunningInterlock): string {
  const rows = [
    ...services.map(({ name, pid, url, healthUrl }) => [name, pid, url ?? '', healthUrl]),
    ...servers.map(({ name, pid }) => [name, pid, '', '']),
  ];
  const where = [`agents:  ${ingress}`, `people:  ${console}`, `data:    ${data}`];
  return `${table(['process', 'pid', 'address', 'health'], rows)}\n\n${where.join('\n')}\n\nStop with Ctrl-C.`;
}
