/** Files that only their owner may read, and that outlive a power cut once they are written. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes a file of mode 0600 in one step: a crash or a power cut leaves the old content or the new one. Content, name
 * and new folders are on the disk when it resolves. What was written of the new content is removed when it fails.
 */
export async function writePrivate(file: string, content: string): Promise<void> {
  const folder = path.dirname(path.resolve(file));
  const firstMade = await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await writeThrough(draft, content);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  // The entry of a file, and of every folder that was made, is in the folder above it.
  const last = firstMade === undefined ? folder : path.dirname(firstMade);
  for (let at = folder; ; at = path.dirname(at)) {
    await syncFolder(at);
    if (at === last) return;
  }
}

/** Reads a file; returns undefined when it does not exist. */
export async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeThrough(file: string, content: string): Promise<void> {
  const opened = await open(file, 'wx', 0o600);
  try {
    await opened.chmod(0o600);
    await opened.writeFile(content);
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const opened = await open(folder, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
