import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Lets a process write nothing more to any file, as on a full disk, or lets it write again: the kernel's limit on the size
 * of files. Only on Linux.
 */
export async function limitWrites(pid: number, allowed: 'nothing' | 'everything'): Promise<void> {
  const limit = allowed === 'nothing' ? '1' : 'unlimited';
  // The hard limit stays, so that the soft one can be lifted again without privileges.
  await promisify(execFile)('prlimit', ['--pid', String(pid), `--fsize=${limit}:`]);
}
