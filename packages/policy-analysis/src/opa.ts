/** Running `opa` over policy folders, and putting the folders' own names back into what it says. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { namesIn } from '@interlock/policy';
import { type Environment, Failure, processEnvironment } from '@interlock/shell';
import { rulesOf, shown } from './folders.ts';

/** A thousand rules with their tests take some ten seconds; a loaded machine gets more. */
const OPA_DEADLINE_MS = 60_000;
/** A failed test's trace has some ten kilobytes. */
const OUTPUT_MAX_BYTES = 64 * 1_048_576;

/** What a run of `opa` said, and whether it was content. */
export interface OpaAnswer {
  stdout: string;
  stderr: string;
  ok: boolean;
}

/** Policy folders as `opa` sees them: short names that no option, prefix or place of this machine can get into. */
export interface OpaView extends AsyncDisposable {
  /** Rego files, tests among them, and data files. */
  files: readonly string[];
  run: (argv: readonly string[], signal: AbortSignal) => Promise<OpaAnswer>;
  /** Returns the file that a name in what `opa` said stands for, as a person would name it. */
  fileOf: (name: string) => string;
  /** Returns a text in which such names are replaced. */
  named: (text: string) => string;
}

/** Returns the program. */
export function opaProgram({ INTERLOCK_OPA_BIN = 'opa' }: Environment = processEnvironment()): string {
  return INTERLOCK_OPA_BIN;
}

/** Opens policy folders for `opa`. */
export async function opaView(folders: readonly string[], program: string): Promise<OpaView> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'interlock-opa-'));
  await Promise.all(folders.map((folder, index) => symlink(folder, path.join(scratch, String(index)))));
  const files = await filesOf(folders);
  const fileOf = (name: string) => {
    const [index = '', ...rest] = name.split('/');
    const folder = folders[Number(index)];
    return folder === undefined ? name : shown(path.join(folder, ...rest));
  };
  return {
    files,
    fileOf,
    run: (argv, signal) => runOpa(program, argv, scratch, signal),
    named: (text) =>
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
      if (name.endsWith('.rego')) files.push(`${rule.owner}/rules/${rule.name}/${name}`);
  }
  return files;
}

async function runOpa(
  program: string,
  argv: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<OpaAnswer> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(OPA_DEADLINE_MS)]);
  try {
    const options = { cwd, signal: deadline, maxBuffer: OUTPUT_MAX_BYTES };
    return { ...(await promisify(execFile)(program, argv, options)), ok: true };
  } catch (cause) {
    signal.throwIfAborted();
    if (deadline.aborted)
      throw new Failure('opa_slow', `opa did not end within ${OPA_DEADLINE_MS / 1_000} s.`, { cause });
    if (hasOutput(cause)) return { stdout: cause.stdout, stderr: cause.stderr, ok: false };
    throw new Failure('opa_missing', `${program} does not run.`, {
      cause,
      next: 'npm run demo brings opa, or name the program with INTERLOCK_OPA_BIN.',
    });
  }
}

/** Tells whether the program ran and ended with a code of its own. */
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
