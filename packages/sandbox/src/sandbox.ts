/**
 * Bubblewrap, where the machine allows it.
 *
 * X1. A server sees the system's programs, its own program, and the folders that its connection declares; nothing else
 *     of the host's files, and its own processes alone.
 * X2. It has no privilege and cannot gain one. Without `network: host` it has no network, not even the loopback one.
 * X3. What it may write besides declared folders stands in memory, is bounded, and is gone when it ends.
 */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { LocalServerConnection } from '@interlock/contracts';
import { isInside } from './mounts.ts';
import { programNamed } from './program.ts';

/** What keeps local servers apart from everything else; `none` says why there is nothing. */
export type Sandbox = { kind: 'bubblewrap'; program: string } | { kind: 'none'; why: string };

/** The folder that a server finds as its home, and starts in. */
export const HOME = '/own';
const USER = '65534';
const PROBE_MS = 10_000;
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store'];
const SETTINGS = [
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/ssl',
  '/etc/ca-certificates',
  '/etc/pki',
];
const NETWORK_SETTINGS = ['/etc/hosts', '/etc/nsswitch.conf', '/etc/resolv.conf', '/etc/services'];

/** Tries bubblewrap once, as servers are started later. `INTERLOCK_BWRAP_BIN` names the program where PATH does not. */
export async function findSandbox(env: Readonly<Record<string, string | undefined>>): Promise<Sandbox> {
  const { INTERLOCK_BWRAP_BIN, PATH = '' } = env;
  const program = INTERLOCK_BWRAP_BIN || programNamed('bwrap', PATH);
  if (program === undefined) return { kind: 'none', why: 'bubblewrap (bwrap) is not installed' };
  const args = [...isolation({ network: 'none' }), ...systemFolders(), '--', '/bin/sh', '-c', ':'];
  try {
    await promisify(execFile)(program, args, { timeout: PROBE_MS, env: {} });
    return { kind: 'bubblewrap', program };
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    return { kind: 'none', why: `${program} does not work here${said === '' ? '' : `: ${said}`}` };
  }
}

export interface Enclosure {
  connection: LocalServerConnection;
  /** What the server's program consists of. */
  parts: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Folders that nothing may show. */
  forbidden: readonly string[];
  /** A file in the place of /etc/passwd. */
  passwd: string;
}

/** Returns bubblewrap's arguments, up to the program. */
export function enclosureOf({ connection, parts, env, forbidden, passwd }: Enclosure): string[] {
  const { mounts, network, limits, cwd = HOME } = connection;
  const bytes = String(limits.outputBytes);
  const memory = (mode: string, folder: string) => ['--perms', mode, '--size', bytes, '--tmpfs', folder];
  // What lies in another folder is there already, and its path may lead through links that do not hold inside.
  const folders = [...parts, ...mounts.map((mount) => mount.path)];
  const outer = parts.filter((part) => !folders.some((other) => other !== part && isInside(part, other)));
  const shown = [
    ...outer.map((folder) => ({ folder, access: 'ro' })),
    ...mounts.map(({ path: folder, access }) => ({ folder, access })),
    // What lies deeper comes later, so that it is not covered.
  ].sort((left, right) => left.folder.length - right.folder.length);
  const hidden = forbidden.filter((one) => shown.some(({ folder }) => isInside(one, folder)));
  return [
    ...isolation(connection),
    '--clearenv',
    ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]),
    ...systemFolders(),
    ...[...SETTINGS, ...(network === 'host' ? NETWORK_SETTINGS : [])].flatMap((file) => [
      '--ro-bind-try',
      file,
      file,
    ]),
    ...['--ro-bind', passwd, '/etc/passwd'],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...memory('1777', '/dev/shm'),
    ...memory('1777', '/tmp'),
    ...memory('0700', HOME),
    ...shown.flatMap(({ folder, access }) => [access === 'rw' ? '--bind' : '--ro-bind', folder, folder]),
    ...hidden.flatMap((folder) => ['--size', '4096', '--tmpfs', folder]),
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', cwd],
  ];
}

/** X2 */
function isolation({ network }: Pick<LocalServerConnection, 'network'>): string[] {
  return [
    ...['--unshare-user', '--uid', USER, '--gid', USER, '--cap-drop', 'ALL'],
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(network === 'none' ? ['--unshare-net'] : []),
    ...['--die-with-parent', '--new-session', '--hostname', 'interlock'],
  ];
}

/** The folders of the system's programs. Many of them are links into /usr. */
function systemFolders(): string[] {
  return SYSTEM.filter((folder) => existsSync(folder)).flatMap((folder) =>
    lstatSync(folder).isSymbolicLink()
      ? ['--symlink', readlinkSync(folder), folder]
      : ['--ro-bind', realpathSync(folder), folder],
  );
}

/** The line of a user without a name on the host, for programs that ask who they are. */
export const PASSWD = `server:x:${USER}:${USER}::${HOME}:${path.join('/usr', 'sbin', 'nologin')}\n`;
