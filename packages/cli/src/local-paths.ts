/**
 * Paths in the tool files of local MCP servers. A server starts in a folder of its own, so a relative path would mean
 * nothing there.
 *
 * - `.`, `..`, and what begins with `./` or `../` (also behind `--option=`) is meant from the configuration folder; so
 *   are the paths in `mounts`, `cwd`, and a command with a slash.
 * - Any other argument is a text. Where the configuration folder has something of that name, it is refused.
 * - What exists and is named by an argument must lie in a folder that `mounts` shows to the server.
 */
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type LocalServerConnection, type ToolFile, toolFileSchemaFor } from '@interlock/contracts';
import { isInside, problemOfMounts } from '@interlock/sandbox';
import type { z } from 'zod';

export interface PathFolders {
  config: string;
  data: string;
}

/** Every server sees these, because programs live in them. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/dev'];
/** What a configuration folder is read from. */
const CONFIGURATION = ['people.yaml', 'limits.yaml', 'approvals.yaml', 'tools', 'agents', 'policies'];
const RELATIVE = /^(-{1,2}[^=\s]+=)?(\.{1,2}(?:\/.*)?)$/s;
const OPTION = /^-{1,2}[^=\s]+=/;

/** Returns the schema of a tool file that also checks, with its place, what the file says about local paths. */
export function checkedToolFileSchema(value: unknown, folders: PathFolders): z.ZodType<ToolFile> {
  const schema: z.ZodType<ToolFile> = toolFileSchemaFor(value);
  return schema.superRefine((file, context) => {
    const connection = localServerOf(file);
    if (connection === undefined) return;
    for (const { at, detail } of problemsOf(connection, folders))
      context.addIssue({ code: 'custom', path: ['mcp', 'connection', ...at], message: detail });
  });
}

/** Returns a tool file in which every path of a local server is whole. */
export function withFullPaths(file: ToolFile, config: string): ToolFile {
  const connection = localServerOf(file);
  if (connection === undefined || !('mcp' in file)) return file;
  return { ...file, mcp: { ...file.mcp, connection: resolved(connection, config) } };
}

/** Returns the connection of a tool file to a local server. */
export function localServerOf(file: ToolFile): LocalServerConnection | undefined {
  return 'mcp' in file && file.mcp.connection.transport === 'stdio' ? file.mcp.connection : undefined;
}

function resolved(connection: LocalServerConnection, config: string): LocalServerConnection {
  const { command, args, env, cwd, mounts } = connection;
  const isPath = (text: string) => text.startsWith('./') || text.startsWith('../');
  return {
    ...connection,
    command: command.includes('/') ? path.resolve(config, command) : command,
    args: args.map((arg) => argumentFrom(config, arg)),
    env: Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, isPath(value) ? path.resolve(config, value) : value]),
    ),
    ...(cwd === undefined ? {} : { cwd: path.resolve(config, cwd) }),
    mounts: mounts.map((mount) => ({ ...mount, path: path.resolve(config, mount.path) })),
  };
}

function argumentFrom(config: string, arg: string): string {
  const [, option = '', relative] = RELATIVE.exec(arg) ?? [];
  return relative === undefined ? arg : `${option}${path.resolve(config, relative)}`;
}

interface Problem {
  at: readonly PropertyKey[];
  detail: string;
}

function problemsOf(connection: LocalServerConnection, { config, data }: PathFolders): Problem[] {
  const whole = resolved(connection, config);
  const missing = whole.mounts.flatMap(({ path: folder }, index) =>
    existsSync(folder) ? [] : [{ at: ['mounts', index, 'path'], detail: `there is no ${folder}` }],
  );
  const real = {
    cwd: whole.cwd === undefined ? undefined : realPath(whole.cwd),
    mounts: whole.mounts.map((mount) => ({ ...mount, path: realPath(mount.path) })),
  };
  // What a server writes there would be applied next, as if a person had written it.
  const writable = real.mounts.flatMap(({ path: folder, access }, index) =>
    access === 'rw' && CONFIGURATION.some((name) => isEither(folder, realPath(path.join(config, name))))
      ? [
          {
            at: ['mounts', index, 'access'],
            detail: 'the server could write the configuration itself: name a folder beside it',
          },
        ]
      : [],
  );
  const wrong = problemOfMounts(real, [realPath(data)]);
  const args = connection.args.flatMap((arg, index) => {
    const detail = problemOfArgument(arg, whole, config);
    return detail === undefined ? [] : [{ at: ['args', index], detail }];
  });
  return [...missing, ...writable, ...(wrong === undefined ? [] : [wrong]), ...args];
}

function problemOfArgument(
  arg: string,
  { mounts }: LocalServerConnection,
  config: string,
): string | undefined {
  const text = argumentFrom(config, arg).replace(OPTION, '');
  if (text === '~' || text.startsWith('~/'))
    return 'no shell reads this, so ~ stands for nothing: write the whole path';
  if (path.isAbsolute(text)) {
    const isShown = [...mounts.map((mount) => mount.path), ...SYSTEM].some((folder) =>
      isInside(text, folder),
    );
    if (isShown || !existsSync(text)) return undefined;
    return `the server cannot see ${text}: add \`{ path: ${text} }\` to mounts, with \`access: rw\` if it may write there`;
  }
  if (text === '' || text.startsWith('-') || !existsSync(path.join(config, text))) return undefined;
  return `a path from the configuration folder begins with ./: write ${arg.slice(0, arg.length - text.length)}./${text}`;
}

function isEither(left: string, right: string): boolean {
  return isInside(left, right) || isInside(right, left);
}

/** A link counts as what it leads to. */
function realPath(file: string): string {
  return existsSync(file) ? realpathSync(file) : file;
}
