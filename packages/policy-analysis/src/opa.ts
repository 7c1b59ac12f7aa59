/** Runs `opa` over policy folders, and restores the folders' own names in its output. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { namesIn } from '@interlock/policy';
import { type Environment, Failure, processEnvironment } from '@interlock/shell';
import { displayPath, rulesOf } from './policy-folders.ts';

/** A thousand rules with their tests take some ten seconds; a loaded machine gets more. */
const OPA_DEADLINE_MS = 60_000;
/** The trace of a failed test has about ten kilobytes. */
const OUTPUT_MAX_BYTES = 64 * 1_048_576;

/** The output of a run of `opa`, and whether it exited with 0. */
export interface OpaResult {
  stdout: string;
  stderr: string;
  succeeded: boolean;
}

/** Policy folders under short names: no option, prefix or path of this machine gets into the arguments of `opa`. */
export interface OpaView extends AsyncDisposable {
  /** Rego files, tests among them, and data files. */
  files: readonly string[];
  run: (argv: readonly string[], signal: AbortSignal) => Promise<OpaResult>;
  /** Returns the path, for people, of a file that the output of `opa` names. */
  fileOf: (name: string) => string;
  /** Returns a text with such names replaced by paths. */
  withPaths: (text: string) => string;
}

/** Returns the `opa` to run: INTERLOCK_OPA_BIN, or the one on the PATH. */
export function opaProgram({ INTERLOCK_OPA_BIN = 'opa' }: Environment = processEnvironment()): string {
  return INTERLOCK_OPA_BIN;
}

/** Opens policy folders for `opa`, with the tests of all of them, or of those with an index of `testsOf`. */
export async function opaView(
  folders: readonly string[],
  program: string,
  testsOf?: readonly number[],
): Promise<OpaView> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'interlock-opa-'));
  await Promise.all(folders.map((folder, index) => symlink(folder, path.join(scratch, String(index)))));
  const all = await filesOf(folders);
  const isUsed = (file: string) =>
    !file.endsWith('_test.rego') || testsOf === undefined || testsOf.includes(Number(file.split('/')[0]));
  const files = all.filter(isUsed);
  const fileOf = (name: string) => {
    const [index = '', ...rest] = name.split('/');
    const folder = folders[Number(index)];
    return folder === undefined ? name : displayPath(path.join(folder, ...rest));
  };
  return {
    files,
    fileOf,
    run: (argv, signal) => runOpa(program, argv, scratch, signal),
    withPaths: (text) =>
      text.replaceAll(/(?<![\w/.])\d+\/(?:main|rules)\/[\w./-]+|(?<![\w/.])\d+\/data\.\w+/g, fileOf),
    [Symbol.asyncDispose]: async () => await rm(scratch, { recursive: true, force: true }),
  };
}

async function filesOf(folders: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const [index, folder] of folders.entries()) {
    for (const name of await namesIn(folder))
      if (/^data\.(yaml|json)$/.test(name)) files.push(`${index}/${name}`);
    for (const name of await namesIn(path.join(folder, 'main')))
      if (name.endsWith('.rego')) files.push(`${index}/main/${name}`);
  }
  for (const rule of await rulesOf(folders)) {
    for (const name of await readdir(rule.folder))
      if (name.endsWith('.rego')) files.push(`${rule.folderIndex}/rules/${rule.name}/${name}`);
  }
  return files;
}

async function runOpa(
  program: string,
  argv: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<OpaResult> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(OPA_DEADLINE_MS)]);
  try {
    const options = { cwd, signal: deadline, maxBuffer: OUTPUT_MAX_BYTES };
    return { ...(await promisify(execFile)(program, argv, options)), succeeded: true };
  } catch (cause) {
    signal.throwIfAborted();
    if (deadline.aborted)
      throw new Failure('opa_slow', `opa did not end within ${OPA_DEADLINE_MS / 1_000} s.`, { cause });
    if (hasOutput(cause)) return { stdout: cause.stdout, stderr: cause.stderr, succeeded: false };
    throw new Failure('opa_missing', `${program} cannot be started.`, {
      cause,
      next: 'npm run demo installs opa, or name the program with INTERLOCK_OPA_BIN.',
    });
  }
}

/** Returns whether the program ran and exited with a code. */
function hasOutput(thrown: unknown): thrown is Error & { stdout: string; stderr: string } {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    typeof thrown.code === 'number' &&
    'stdout' in thrown &&
    typeof thrown.stdout === 'string' &&
    'stderr' in thrown &&
    typeof thrown.stderr === 'string'
  );
}
