/**
 * A file system of its own under the data folder (ext4 on a loop device), so that a disk can be full or slow for everything
 * on it, and so that a power cut really loses what was not flushed.
 *
 * V1. A power cut is the kernel's own: the file system is shut down at once, nothing that waits in memory is written, not
 *     even its journal. It is mounted again from what had reached the disk.
 * V2. Whatever freezes the file system also thaws it, even where this process is killed meanwhile.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '@interlock/testkit';

const run = promisify(execFile);
/** Sparse: only what is written takes room. NATS reserves what its streams may hold. */
const SIZE_BYTES = 64 * 1_024 ** 3;
/** FS_IOC_SHUTDOWN without flushing the journal, which Node cannot ask for by itself. */
const SHUT_DOWN =
  'open(F, "<", $ARGV[0]) or die $!; $how = pack("L", 2); ioctl(F, 0x8004587D, $how) or die $!';
/** V2: one process does both. */
const FREEZE = 'fsfreeze -f "$1" && { sleep "$2"; fsfreeze -u "$1"; }';
const FILLS_MAX = 20;
const UNMOUNT_MS = 30_000;

export interface Volume extends AsyncDisposable {
  /** Where it is mounted. */
  readonly folder: string;
  /** Takes all the room there is. */
  fill(): Promise<void>;
  /** Gives the room back. */
  clear(): Promise<void>;
  /** Lets nothing be written for a while: what writes, waits. */
  freeze(seconds: number): Promise<void>;
  /** Ends it as a power cut does (V1). Nothing can be read or written from here on. */
  cutPower(): Promise<void>;
  /** Mounts what had reached the disk. Everything that used it must have ended. */
  restorePower(): Promise<void>;
}

/** Makes and mounts a volume below a folder. Throws where that is not allowed: it takes root, Linux and loop devices. */
export async function openVolume(below: string): Promise<Volume> {
  const image = path.join(below, 'disk.img');
  const folder = path.join(below, 'disk');
  const ballast = path.join(folder, 'ballast');
  await mkdir(folder, { mode: 0o700 });
  await writeFile(image, '');
  await truncate(image, SIZE_BYTES);
  await run('mkfs.ext4', ['-q', '-F', '-m', '0', '-i', '65536', '-J', 'size=64', image]);
  const mount = () => run('mount', ['-o', 'loop', image, folder]);
  const clear = async () => {
    const all = Array.from({ length: FILLS_MAX }, (_, attempt) => `${ballast}-${attempt}`);
    await Promise.all(all.map((file) => rm(file, { force: true })));
  };
  const unmount = () => eventually(() => run('umount', [folder]), UNMOUNT_MS);
  await mount();
  return {
    folder,
    fill: async () => {
      // What is freed meanwhile is taken, too.
      for (let attempt = 0; attempt < FILLS_MAX; attempt += 1) {
        const { bavail, bsize } = await statfs(folder);
        if (bavail === 0) return;
        await run('fallocate', ['-l', String(bavail * bsize), `${ballast}-${attempt}`]).catch(
          () => undefined,
        );
      }
    },
    clear,
    freeze: async (seconds) => void (await run('sh', ['-c', FREEZE, 'sh', folder, String(seconds)])),
    cutPower: async () => void (await run('perl', ['-e', SHUT_DOWN, folder])),
    restorePower: async () => {
      await unmount();
      await mount();
      // That it was cleared may not have reached the disk either.
      await clear();
    },
    [Symbol.asyncDispose]: async () => {
      await unmount();
      await rm(image, { force: true });
    },
  };
}
