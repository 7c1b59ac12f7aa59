import { readdir, stat } from 'node:fs/promises';

/** Returns the names in a folder that are not hidden, sorted; none when the folder does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await exists(folder)) ? (await readdir(folder)).filter((name) => !name.startsWith('.')).sort() : [];
}

/** Returns whether a file or folder exists. */
export async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
