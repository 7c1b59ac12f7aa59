/**
 * Whoever may write the data folder decides what runs with its keys, and whoever may write a folder above it can put
 * another one in its place. So `up` starts with a data folder only when nobody but its own user and root can do either.
 */
import type { Stats } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '@interlock/shell';
import { dataFiles } from './installation-files.ts';

const ROOT = 0;
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
const NOT_OWNER = 0o077;
/** The number of a user; undefined on a system without such numbers. */
type User = number | undefined;

/**
 * Checks who may write the data folder, what is in it, and every folder above it, and that nobody else reads the keys.
 * A folder that does not exist yet is made for this user alone. Throws `data_folder_open`.
 */
export async function checkDataFolder(data: string, user = process.getuid?.()): Promise<void> {
  const present = await nearestPresent(path.resolve(data));
  const folder = await realpath(present);
  for (const above of foldersAbove(folder)) refuseAbove(above, await stat(above), user);
  const own = await stat(folder);
  if (path.resolve(data) !== present) return refuseAbove(folder, own, user);
  refuseWritable(folder, own, user);
  const { keys, operator } = dataFiles(folder);
  const privates = [keys, path.dirname(operator)];
  const entries = (await readdir(folder)).map((name) => path.join(folder, name));
  for (const entry of entries) refuseWritable(entry, await lstat(entry), user);
  for (const one of privates) if (entries.includes(one)) await refuseReadable(one, user);
}

/** Returns the path, or the nearest folder above it that exists. */
async function nearestPresent(at: string): Promise<string> {
  try {
    await stat(at);
    return at;
  } catch (error) {
    const above = path.dirname(at);
    if (above === at || !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return await nearestPresent(above);
  }
}

function foldersAbove(folder: string): string[] {
  const above = path.dirname(folder);
  return above === folder ? [] : [...foldersAbove(above), above];
}

/** In a sticky folder, such as /tmp, others can neither remove nor rename what is not theirs. */
function refuseAbove(folder: string, stats: Stats, user: User): void {
  if (!isOwn(stats, user) && stats.uid !== ROOT) throw owned(folder, stats);
  if ((stats.mode & STICKY) === 0 && othersWrite(stats))
    throw open(folder, stats, 'may be written by others');
}

function refuseWritable(entry: string, stats: Stats, user: User): void {
  if (!isOwn(stats, user)) throw owned(entry, stats);
  // The mode of a symbolic link means nothing.
  if (!stats.isSymbolicLink() && othersWrite(stats)) throw open(entry, stats, 'may be written by others');
}

async function refuseReadable(folder: string, user: User): Promise<void> {
  const files = (await readdir(folder)).map((name) => path.join(folder, name));
  for (const entry of [folder, ...files]) {
    const stats = await stat(entry);
    if (!isOwn(stats, user)) throw owned(entry, stats);
    if ((stats.mode & NOT_OWNER) !== 0) throw open(entry, stats, 'holds keys, and others may use it');
  }
}

function isOwn({ uid }: Stats, user: User): boolean {
  return user === undefined || uid === user;
}

/** Many systems give every user a group with the user's number, in which nobody else is. */
function othersWrite({ mode, gid, uid }: Stats): boolean {
  return (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && gid !== uid);
}

function owned(entry: string, { uid }: Stats): Failure {
  return new Failure(
    'data_folder_open',
    `${entry} belongs to the user with the number ${uid}, who could replace the keys of Interlock or what runs with them.`,
    {
      next: 'Name a data folder of your own with --data, or run interlock as that user. Repeating the command does not help before that.',
    },
  );
}

function open(entry: string, { mode }: Stats, why: string): Failure {
  const text = (mode & 0o7777).toString(8).padStart(4, '0');
  return new Failure('data_folder_open', `${entry} ${why} (mode ${text}).`, {
    next: `If nobody used that: chmod go-rwx '${entry}' for the data folder and what is in it, chmod go-w for a folder above it. Or name another data folder with --data.`,
  });
}
