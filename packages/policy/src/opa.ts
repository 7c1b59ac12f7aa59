import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Fault } from '@interlock/contracts';

/** What `opa` may write: the list of everything it can do has some 200 KiB, its complaints are capped by itself. */
const OUTPUT_MAX_BYTES = 4 * 1_048_576;
const execute = promisify(execFile);

/** One run of `opa`. */
export interface OpaRun {
  /** The `opa` program. */
  opaBin: string;
  argv: string[];
  /** Where it runs. */
  folder: string;
  /** Says what opa complained about in the words of who asked. */
  named: (said: string) => string;
  signal: AbortSignal;
}

/**
 * Runs `opa` and returns what it wrote.
 * Throws `configuration_invalid` with what it complained about, `dependency_unavailable` when it does not run.
 */
export async function opa({ opaBin, argv, folder, named, signal }: OpaRun): Promise<string> {
  try {
    const { stdout } = await execute(opaBin, argv, { cwd: folder, signal, maxBuffer: OUTPUT_MAX_BYTES });
    return stdout;
  } catch (cause) {
    signal.throwIfAborted();
    const said = complaintOf(cause);
    if (said === undefined)
      throw new Fault('dependency_unavailable', { detail: `${opaBin} does not run.`, cause });
    throw new Fault('configuration_invalid', { detail: named(said), cause });
  }
}

/** Returns what opa said: lines that begin with a file and a line number. */
function complaintOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('stderr' in cause) || typeof cause.stderr !== 'string') return undefined;
  return cause.stderr.trim() || undefined;
}
