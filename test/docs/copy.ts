/** A copy of this repository to try changes in: its files are its own, its installed packages are ours. */
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../tidy/sources.ts';

const LEFT_OUT = new Set(['node_modules', '.git', '.interlock', '.turbo']);
const WORKSPACES = ['packages', 'services'];
const SCOPE = '@interlock';

export interface Copy extends AsyncDisposable {
  folder: string;
}

/** Copies the repository into a temporary folder, which goes with the copy. */
export async function copyRepository(): Promise<Copy> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-how-to-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await cp(root, folder, {
      recursive: true,
      filter: (source) => !LEFT_OUT.has(path.basename(source)) || source === root,
    });
    await linkPackages('', folder);
    for (const workspace of WORKSPACES)
      for (const name of await readdir(path.join(root, workspace)))
        await linkPackages(`${workspace}/${name}`, folder);
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder, [Symbol.asyncDispose]: remove };
}

/** Links what is installed there, and our own packages to the copy's, not to the originals. */
async function linkPackages(at: string, folder: string): Promise<void> {
  const installed = path.join(root, at, 'node_modules');
  const names = await readdir(installed).catch((): string[] => []);
  if (names.length === 0) return;
  const target = path.join(folder, at, 'node_modules');
  await mkdir(target);
  for (const name of names.filter((one) => one !== SCOPE))
    await symlink(path.join(installed, name), path.join(target, name));
  if (!names.includes(SCOPE)) return;
  // These links are relative to where they stand, so copied as they are they lead to the copy's own folders.
  await cp(path.join(installed, SCOPE), path.join(target, SCOPE), {
    recursive: true,
    verbatimSymlinks: true,
  });
}
