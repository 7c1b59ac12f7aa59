/**
 * A clone of the repository, in a folder of its own, as a newcomer has one: the files as they are here, in a git
 * repository, with the packages installed here. Its own code runs, not that of this repository.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.resolve(import.meta.dirname, '..');
/** What no clone has. */
const NOT_CLONED = new Set(['node_modules', '.git', '.turbo', '.interlock', 'coverage']);
const STAMP = '.interlock-lock-hash';
const git = [
  '-c',
  'user.name=newcomer',
  '-c',
  'user.email=newcomer@example.org',
  '-c',
  'commit.gpgsign=false',
];

export interface Clone extends AsyncDisposable {
  readonly folder: string;
  /** What `git status --porcelain` prints. */
  status(): Promise<string>;
}

/** Makes a clone; `change` edits the text of every file of the folders it names before it is committed. */
export async function makeClone(change?: {
  files: readonly string[];
  edit: (text: string) => string;
}): Promise<Clone> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-clone-'));
  await cp(ROOT, folder, { recursive: true, filter: (source) => !NOT_CLONED.has(path.basename(source)) });
  for (const file of change?.files ?? []) {
    const target = path.join(folder, file);
    await writeFile(target, change?.edit(await readFile(target, 'utf8')) ?? '');
  }
  await linkPackages(folder);
  await runGit(folder, 'init', '--quiet');
  await runGit(folder, 'add', '--all');
  await runGit(folder, 'commit', '--quiet', '--message', 'Everything');
  return {
    folder,
    status: () => runGit(folder, 'status', '--porcelain'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function runGit(folder: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  return (await promisify(execFile)('git', [...git, ...args], { cwd: folder, env })).stdout;
}

/** Packages from the registry are linked to those installed here, workspaces to the clone's own folders. */
async function linkPackages(folder: string): Promise<void> {
  const modules = path.join(folder, 'node_modules');
  await mkdir(path.join(modules, '@interlock'), { recursive: true });
  const installed = (await readdir(path.join(ROOT, 'node_modules'))).filter(
    (name) => name !== '@interlock' && name !== STAMP,
  );
  for (const name of installed)
    await symlink(path.join(ROOT, 'node_modules', name), path.join(modules, name));
  for (const workspace of await workspaces()) {
    const { name } = JSON.parse(await readFile(path.join(ROOT, workspace, 'package.json'), 'utf8'));
    await symlink(path.join(folder, workspace), path.join(modules, name));
    const own = path.join(ROOT, workspace, 'node_modules');
    if ((await readdir(own).catch(() => [])).length > 0)
      await symlink(own, path.join(folder, workspace, 'node_modules'), 'dir');
  }
  // Set-up installs packages only when this does not say that they are those of the lock file.
  const lock = await readFile(path.join(folder, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).update(`${process.platform}-${process.arch}`).digest('hex');
  await writeFile(path.join(modules, STAMP), `${hash}\n`);
}

async function workspaces(): Promise<string[]> {
  const inside = async (folder: string) =>
    (await readdir(path.join(ROOT, folder))).map((name) => path.join(folder, name));
  return [...(await inside('packages')), ...(await inside('services')), 'deploy/local', 'examples/demo'];
}
