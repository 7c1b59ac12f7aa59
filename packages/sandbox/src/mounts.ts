/** What a local server may be given of the host's folders. */
import path from 'node:path';
import type { LocalServerConnection } from '@interlock/contracts';

/** A place in a connection, as the path of keys that leads to it, and what is wrong there. */
export interface MountProblem {
  at: readonly PropertyKey[];
  detail: string;
}

/** Returns true when one of two absolute paths is the other or lies in it. */
export function overlaps(left: string, right: string): boolean {
  return isInside(left, right) || isInside(right, left);
}

/** Returns true when an absolute path is a folder or lies in it. */
export function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative === '' || (relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative));
}

/**
 * Returns the first thing that is wrong with the folders of a connection, all of them absolute. `forbidden` are the
 * folders that no server may see any part of.
 */
export function problemOfMounts(
  { cwd, mounts }: Pick<LocalServerConnection, 'cwd' | 'mounts'>,
  forbidden: readonly string[],
): MountProblem | undefined {
  for (const [index, { path: folder }] of mounts.entries()) {
    const at = ['mounts', index, 'path'];
    if (!path.isAbsolute(folder)) return { at, detail: 'must be an absolute path' };
    const secret = forbidden.find((one) => overlaps(one, folder));
    if (secret !== undefined) return { at, detail: `holds or lies in ${secret}, which no server may see` };
    // A server that may write the folder round a mount could put a link to another folder in its place.
    const around = mounts.find(
      (other, position) => position !== index && other.access === 'rw' && isInside(folder, other.path),
    );
    if (around !== undefined) return { at, detail: `lies in ${around.path}, which the server may write` };
  }
  if (cwd === undefined) return undefined;
  if (!path.isAbsolute(cwd)) return { at: ['cwd'], detail: 'must be an absolute path' };
  if (forbidden.some((one) => isInside(cwd, one)))
    return { at: ['cwd'], detail: 'lies in the data folder, where the keys are' };
  if (!mounts.some(({ path: folder }) => isInside(cwd, folder)))
    return { at: ['cwd'], detail: 'lies in none of the folders that `mounts` names: add it there' };
  return undefined;
}
