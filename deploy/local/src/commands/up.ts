import { once } from 'node:events';
import { type CommonOptions, command, foldersOf, portNumber, print, report, table } from '@interlock/cli';
import type { Command } from 'commander';
import type { RunningInterlock } from '../running.ts';

interface UpOptions extends CommonOptions {
  single?: boolean;
  portIngress?: number;
  portConsole?: number;
}

const VARIABLES = `
Variables:
  NATS_URL, REDIS_URL, MONGODB_URL                     addresses of servers to use instead of own ones
  INTERLOCK_NATS_SERVER_BIN, INTERLOCK_REDIS_BIN,
  INTERLOCK_FERRETDB_BIN, INTERLOCK_OPA_BIN            programs that are not on the PATH
  OTEL_EXPORTER_OTLP_ENDPOINT                          a collector for spans instead of the console
  INTERLOCK_LOG_LEVEL                                  fatal, error, warn, info, debug or trace`;

/** `interlock up`: runs until it is asked to stop. */
export function upCommand(): Command {
  return command(
    'up',
    'start Interlock with a configuration folder, until it is stopped',
    'interlock up --config my-interlock',
  )
    .option('--single', 'run all services in one process')
    .option('--port-ingress <port>', 'port for agents', portNumber)
    .option('--port-console <port>', 'port for people', portNumber)
    .addHelpText('after', VARIABLES)
    .action(runUp);
}

async function runUp(options: UpOptions): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort();
  process.on('SIGTERM', end).on('SIGINT', end);
  try {
    await using interlock = await startUnlessStopped(options, stop.signal);
    if (interlock === undefined) return;
    print(options, resultOf(interlock), textOf(interlock));
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
    report('stopping');
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end);
  }
}

async function startUnlessStopped(
  options: UpOptions,
  signal: AbortSignal,
): Promise<RunningInterlock | undefined> {
  const { portIngress, portConsole, single } = options;
  // Loaded here: no other command needs what servers and services are started with.
  const { startInterlock } = await import('../installation.ts');
  try {
    return await startInterlock({
      ...foldersOf(options),
      ports: {
        ...(portIngress === undefined ? {} : { ingress: portIngress }),
        ...(portConsole === undefined ? {} : { console: portConsole }),
      },
      single: single ?? false,
      report,
      signal,
    });
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
