import { readdir, stat } from 'node:fs/promises';

/** Returns names in a folder that are not hidden, sorted; none where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await exists(folder)) ? (await readdir(folder)).filter((name) => !name.startsWith('.')).sort() : [];
}

/** Tells whether something is there. */
export async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
