import { once } from 'node:events';
import {
  agreeAtTerminal,
  type CommonOptions,
  command,
  confirmRemovals,
  foldersOf,
  portNumber,
} from '@interlock/cli';
import type { Command } from 'commander';
import { runUntilStopped } from './until-stopped.ts';

interface UpOptions extends CommonOptions {
  single?: boolean;
  yes?: boolean;
  portIngress?: number;
  portConsole?: number;
}

const VARIABLES = `
Variables:
  NATS_URL, REDIS_URL, MONGODB_URL                     addresses of servers to use instead of own ones
  INTERLOCK_NATS_SERVER_BIN, INTERLOCK_REDIS_BIN,
  INTERLOCK_FERRETDB_BIN, INTERLOCK_OPA_BIN,
  INTERLOCK_BWRAP_BIN                                  programs that are not on the PATH
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
    .option(
      '--yes',
      'agree to start the programs that the configuration names, and to remove everything of a kind',
    )
    .option('--port-ingress <port>', 'port for agents', portNumber)
    .option('--port-console <port>', 'port for people', portNumber)
    .addHelpText('after', VARIABLES)
    .action(runUp);
}

async function runUp(options: UpOptions): Promise<void> {
  const { portIngress, portConsole, single = false } = options;
  const ports = {
    ...(portIngress === undefined ? {} : { ingress: portIngress }),
    ...(portConsole === undefined ? {} : { console: portConsole }),
  };
  const asks = { agree: agreeAtTerminal(options), confirmRemovals: confirmRemovals(options) };
  await runUntilStopped(options, { ...foldersOf(options), ports, single, ...asks }, async (_, signal) => {
    if (!signal.aborted) await once(signal, 'abort');
  });
}
