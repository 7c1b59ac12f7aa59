/** Where servers that no other machine and no other user may reach make their sockets. */
import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Failure } from '@interlock/shell';
import { dataFiles } from './installation-files.ts';

/** Systems take 103 bytes (macOS) or 107 (Linux) for the path of a socket. */
const SOCKET_PATH_BYTES_MAX = 100;
const LONGEST_NAME = 'ferretdb.sock';
const NAMED_BY = 16;

/**
 * Returns the folder for sockets of a data folder, which only this user may enter: in the data folder, or one of a short
 * path that is named for it. Throws `socket_folder_open` when others made that one before.
 */
export async function socketFolder(data: string): Promise<string> {
  const { sockets } = dataFiles(data);
  const name = createHash('sha256').update(path.resolve(data)).digest('hex').slice(0, NAMED_BY);
  const folder = fits(sockets) ? sockets : path.join(tmpdir(), `interlock-${name}`);
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  const stats = await lstat(folder);
  const isOwn = process.getuid === undefined || stats.uid === process.getuid();
  if (stats.isDirectory() && isOwn && (stats.mode & 0o077) === 0) return folder;
  throw new Failure(
    'socket_folder_open',
    `Others may use ${folder}, where Redis and FerretDB are to listen.`,
    {
      next: 'Remove it if it is yours, or name another data folder with --data.',
    },
  );
}

function fits(folder: string): boolean {
  return Buffer.byteLength(path.join(folder, LONGEST_NAME)) <= SOCKET_PATH_BYTES_MAX;
}
