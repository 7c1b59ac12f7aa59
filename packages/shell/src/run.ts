import { once } from 'node:events';
import { Fault } from '@interlock/contracts';
import type { Logger } from 'pino';
import { type CommonConfig, commonConfigSchema, processEnvironment, readConfig } from './config.ts';
import { withDeadline } from './deadline.ts';
import { createLog } from './log.ts';
import { standardOutput } from './log-output.ts';
import { DRAIN_MS, processName, type ServiceDefinitions, startServices } from './start.ts';
import type { Telemetry } from './telemetry.ts';

/** EX_CONFIG of sysexits.h: a restart does not help until the configuration is changed. */
const EXIT_CONFIGURATION = 78;
const EXIT_FAILED = 1;
/** How long the last spans may take to reach the collector. */
const FLUSH_MS = 2_000;
/** How long the event loop may take to become empty after draining and flushing. */
const LEAVE_MS = 2_000;

/** What a process with an IPC channel sends to its parent, once per service. */
export interface ReadyMessage {
  type: 'ready';
  service: string;
  url: string | undefined;
  healthUrl: string;
  pid: number;
}

/** What such a process sends when it was asked to stop: a successor may be started while it finishes. */
export interface LeavingMessage {
  type: 'leaving';
}

/**
 * Runs services as this process until SIGTERM, SIGINT, or the parent's end when INTERLOCK_EXIT_WITH_PARENT is 1.
 * Then they are at once not ready and drain within `DRAIN_MS`, telemetry is flushed, and the process ends because nothing
 * is left to do. The exit code is 0; 78 after a configuration error, printed in one line on standard error; 1 after any
 * other error, logged once with its causes.
 */
export async function run(definitions: ServiceDefinitions): Promise<void> {
  const stop = new AbortController();
  try {
    const common = readConfig(commonConfigSchema, processEnvironment());
    const service = processName(definitions);
    const level = common.INTERLOCK_LOG_LEVEL;
    const replica = common.INTERLOCK_REPLICA;
    const log = createLog({ level, service, replica, stream: standardOutput });
    using _listeners = stopOnSignals(stop, common, log);
    await runWithTelemetry(definitions, common, stop.signal, log);
  } catch (error) {
    reportConfiguration(error);
  } finally {
    stop.abort();
    if (process.connected) process.disconnect();
  }
}

async function runWithTelemetry(
  definitions: ServiceDefinitions,
  common: CommonConfig,
  stop: AbortSignal,
  log: Logger,
): Promise<void> {
  // Imported here: only a running process needs the memory and start-up time of the SDK.
  const { startTelemetry } = await import('./telemetry.ts');
  const telemetry = startTelemetry(`interlock-${processName(definitions)}`, common);
  try {
    await serve(definitions, common, stop, log);
  } catch (error) {
    if (isConfiguration(error)) throw error;
    if (stop.aborted && error instanceof Error && error.name === 'AbortError')
      return log.info('stopped while starting');
    log.fatal({ err: error }, 'the process stops because of an error');
    process.exitCode = EXIT_FAILED;
  } finally {
    await flush(telemetry, log);
  }
}

async function flush(telemetry: Telemetry, log: Logger): Promise<void> {
  try {
    await withDeadline(telemetry.shutdown(), FLUSH_MS, 'Sending the last spans');
  } catch (error) {
    log.warn({ err: error }, 'the last spans were lost');
  }
}

async function serve(
  definitions: ServiceDefinitions,
  common: CommonConfig,
  stop: AbortSignal,
  log: Logger,
): Promise<void> {
  const env = { ...processEnvironment(), INTERLOCK_REPLICA: common.INTERLOCK_REPLICA };
  await using started = await startServices(definitions, { env, stop });
  const { healthUrl, services } = started;
  for (const { name: service, url } of services) {
    log.info({ part: service, url, healthUrl, pid: process.pid }, 'ready');
    announce({ type: 'ready', service, url, healthUrl, pid: process.pid }, log);
  }
  if (!stop.aborted) await once(stop, 'abort');
  log.info('draining');
  if (process.connected) announce({ type: 'leaving' }, log);
}

function announce(message: ReadyMessage | LeavingMessage, log: Logger): void {
  process.send?.(message, undefined, {}, (error) => {
    if (error !== null)
      log.warn({ err: error, message: message.type }, 'a message could not be sent to the parent process');
  });
}

/** Aborts `stop` when the process is asked to stop, and after an unhandled error, which is a bug. */
function stopOnSignals(stop: AbortController, common: CommonConfig, log: Logger): Disposable {
  const requestStop = (why: string) => {
    if (stop.signal.aborted) return;
    log.info({ why }, 'asked to stop');
    armForcedExit(log);
    stop.abort(new DOMException(why, 'AbortError'));
  };
  const onSigterm = () => requestStop('SIGTERM');
  const onSigint = () => requestStop('SIGINT');
  const onDisconnect = () => requestStop('the parent process has ended');
  const onUncaught = (error: unknown, origin: string) => {
    log.fatal({ err: error, origin }, 'an error was not handled: the process stops');
    process.exitCode = EXIT_FAILED;
    requestStop('an unhandled error');
  };
  process.on('SIGTERM', onSigterm).on('SIGINT', onSigint).on('uncaughtException', onUncaught);
  if (process.connected && common.INTERLOCK_EXIT_WITH_PARENT) process.on('disconnect', onDisconnect);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGTERM', onSigterm).off('SIGINT', onSigint).off('uncaughtException', onUncaught);
      process.off('disconnect', onDisconnect);
    },
  };
}

/**
 * The only place that ends the process by force. A service that hangs while it starts or drains, or a handle that was not
 * closed, would otherwise keep a process running that is not ready and takes no work.
 */
function armForcedExit(log: Logger): void {
  const deadline = setTimeout(
    () => {
      log.fatal(
        { active: process.getActiveResourcesInfo() },
        'the process did not end in time and is ended by force',
      );
      process.exit(EXIT_FAILED);
    },
    DRAIN_MS + FLUSH_MS + LEAVE_MS,
  );
  deadline.unref();
}

/** Prints a configuration error in one line, without a stack; any other error is thrown again. */
function reportConfiguration(error: unknown): void {
  if (!isConfiguration(error)) throw error;
  process.stderr.write(`${error.detail}\n`);
  process.exitCode = EXIT_CONFIGURATION;
}

function isConfiguration(error: unknown): error is Fault {
  return error instanceof Fault && error.code === 'configuration_invalid';
}
