import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Fault } from '@interlock/contracts';

/** The list of all capabilities of `opa` has about 200 KiB; it limits the number of its errors by itself. */
const OUTPUT_MAX_BYTES = 4 * 1_048_576;
const execute = promisify(execFile);

/** One run of `opa`. */
export interface OpaRun {
  /** The `opa` program. */
  opaBin: string;
  argv: string[];
  /** The working directory. */
  folder: string;
  /** Replaces names of files in an error by the paths that the user knows. */
  withPaths: (errors: string) => string;
  signal: AbortSignal;
}

/**
 * Runs `opa` and returns its output.
 * Throws `configuration_invalid` with the errors it reports, `dependency_unavailable` when it cannot be started.
 */
export async function opa({ opaBin, argv, folder, withPaths, signal }: OpaRun): Promise<string> {
  try {
    const { stdout } = await execute(opaBin, argv, { cwd: folder, signal, maxBuffer: OUTPUT_MAX_BYTES });
    return stdout;
  } catch (cause) {
    signal.throwIfAborted();
    const errors = errorsIn(cause);
    if (errors === undefined)
      throw new Fault('dependency_unavailable', { detail: `${opaBin} cannot be started.`, cause });
    throw new Fault('configuration_invalid', { detail: withPaths(errors), cause });
  }
}

/** Returns what opa wrote to standard error: lines that begin with a file and a line number. */
function errorsIn(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('stderr' in cause) || typeof cause.stderr !== 'string') return undefined;
  return cause.stderr.trim() || undefined;
}
