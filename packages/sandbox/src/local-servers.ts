/**
 * How a program that is not ours is started: with an empty folder of its own, the environment that was declared, the
 * folders and the network that were declared, and limits. Where bubblewrap works, the kernel holds all of that. Where it
 * does not, the program runs with the rights of this process, and whoever chose it trusts it like the operator.
 */
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Fault, type LocalServerConnection } from '@interlock/contracts';
import { problemOfMounts } from './mounts.ts';
import { findProgram, partsOf, programNamed } from './program.ts';
import { enclosureOf, findSandbox, HOME, PASSWD, type Sandbox } from './sandbox.ts';
import { seccompFilter } from './seccomp.ts';
import { Watch } from './watch.ts';

/** A program may reserve much more than it uses: the watch counts what it uses, and this ends what it misses. */
const RESERVED_BYTES = 1_073_741_824;
/** Variables that starting a program passes on by itself, and no server gets unless they are declared. */
/** Followed by the number of the process that owns a folder. */
const FOLDER = 'interlock-servers-';
const PASSED_ON = ['LOGNAME', 'SHELL', 'TERM', 'USER'];

export interface LocalServersOptions {
  /** PATH, LANG, and `INTERLOCK_BWRAP_BIN`. */
  env: Readonly<Record<string, string | undefined>>;
  /** Folders that no server may see any part of, such as the one with the keys. */
  forbidden: readonly string[];
  /** Told when a server was ended because of its limits. */
  report: (line: string) => void;
}

/** A server that can be started: what to run. Disposing it removes its folder. */
export interface LocalServer extends AsyncDisposable {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  /** Watches the started process until the server is disposed of. */
  watch(pid: number): void;
  /** Tells that a request was sent: from here on, output counts for this one. */
  requested(): void;
}

/** Prepares local servers. Owns a folder with what they need, which nobody else may enter. */
export class LocalServers implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly #options: LocalServersOptions;
  readonly #folder: string;
  readonly #watch = new Watch();
  readonly #searchPath: string;
  #count = 0;

  private constructor(options: LocalServersOptions, sandbox: Sandbox, folder: string) {
    this.#options = options;
    this.sandbox = sandbox;
    this.#folder = folder;
    this.#searchPath = options.env['PATH'] ?? '';
  }

  static async open(options: LocalServersOptions): Promise<LocalServers> {
    const sandbox = await findSandbox(options.env);
    await removeLeftovers();
    // mkdtemp makes a folder that its owner alone may enter.
    const folder = await mkdtemp(path.join(tmpdir(), `${FOLDER}${process.pid}-`));
    const filter = seccompFilter();
    await writeFile(path.join(folder, 'passwd'), PASSWD);
    if (filter !== undefined) await writeFile(path.join(folder, 'seccomp'), filter);
    const forbidden = await Promise.all(options.forbidden.map((one) => realpath(one).catch(() => one)));
    return new LocalServers({ ...options, forbidden: [...forbidden, folder] }, sandbox, folder);
  }

  /** Throws `configuration_invalid` for a folder that may not be shown, `upstream_failed` where the program is missing. */
  async prepare(connection: LocalServerConnection): Promise<LocalServer> {
    await this.#checkMounts(connection);
    const program = findProgram(connection.command, this.#searchPath);
    const own = path.join(this.#folder, String(this.#count));
    this.#count += 1;
    for (const inner of ['home', 'tmp']) await mkdir(path.join(own, inner), { recursive: true, mode: 0o700 });
    try {
      const start =
        this.sandbox.kind === 'bubblewrap'
          ? await this.#enclosed(connection, { program, own, bubblewrap: this.sandbox.program })
          : this.#open(connection, { program, own });
      return this.#watched(start, connection, own);
    } catch (error) {
      await rm(own, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A link may lead elsewhere than when the configuration was checked. */
  async #checkMounts(connection: LocalServerConnection): Promise<void> {
    const real = async (folder: string) =>
      await realpath(folder).catch(() => {
        throw new Fault('upstream_failed', {
          detail: `The folder ${folder} of a local MCP server is missing.`,
        });
      });
    const mounts = await Promise.all(
      connection.mounts.map(async ({ path: folder, access }) => ({ path: await real(folder), access })),
    );
    const cwd = connection.cwd === undefined ? undefined : await real(connection.cwd);
    const problem = problemOfMounts({ mounts, cwd }, this.#options.forbidden);
    if (problem !== undefined)
      throw new Fault('configuration_invalid', {
        detail: `A local MCP server cannot be started: ${problem.at.join('.')} ${problem.detail}.`,
      });
  }

  async #enclosed(
    connection: LocalServerConnection,
    { program, own, bubblewrap }: { program: string; own: string; bubblewrap: string },
  ): Promise<Start> {
    const env = this.#environment(connection, { home: HOME, temporary: '/tmp' });
    const { forbidden } = this.#options;
    const parts = [...partsOf(program), ...partsOf(process.execPath)];
    const passwd = path.join(this.#folder, 'passwd');
    const filter = seccompFilter() === undefined ? [] : ['--seccomp', '3'];
    const args = [...filter, ...enclosureOf({ connection, parts, env, forbidden, passwd })];
    // Command lines are there for every user of the machine to read, and the environment may hold a secret.
    const file = path.join(own, 'arguments');
    await writeFile(file, args.map((arg) => `${arg}\0`).join(''), { mode: 0o600 });
    const redirect = filter.length === 0 ? '' : `3<"$1" `;
    const script = `exec ${redirect}4<"$2"; shift 2; exec "$@"`;
    const files = [path.join(this.#folder, 'seccomp'), file];
    const command = [
      bubblewrap,
      '--args',
      '4',
      '--',
      // Bubblewrap sets this one.
      ...['/usr/bin/env', '-u', 'PWD'],
      ...this.#limited(connection, program),
      ...connection.args,
    ];
    return { command: '/bin/sh', args: ['-c', script, 'sh', ...files, ...command], env: {}, cwd: '/' };
  }

  #open(connection: LocalServerConnection, { program, own }: { program: string; own: string }): Start {
    const home = path.join(own, 'home');
    const env = this.#environment(connection, { home, temporary: path.join(own, 'tmp') });
    const unset = PASSED_ON.filter((name) => env[name] === undefined).flatMap((name) => ['-u', name]);
    const [command = program, ...args] = ['/usr/bin/env', ...unset, ...this.#limited(connection, program)];
    return { command, args: [...args, ...connection.args], env, cwd: connection.cwd ?? home };
  }

  /** The kernel's limits, where there is the program that sets them. Processes are counted by user: see the watch. */
  #limited({ limits }: LocalServerConnection, program: string): string[] {
    const prlimit = programNamed('prlimit', this.#searchPath);
    if (prlimit === undefined) return [program];
    const own = this.sandbox.kind === 'bubblewrap' ? [`--nproc=${limits.processes}`] : [];
    const data = `--data=${limits.memoryBytes + RESERVED_BYTES}`;
    return [prlimit, '--core=0', data, `--fsize=${limits.outputBytes}`, ...own, program];
  }

  #environment(
    { env }: LocalServerConnection,
    { home, temporary }: { home: string; temporary: string },
  ): Record<string, string> {
    const language = this.#options.env['LANG'] ?? 'C.UTF-8';
    return { PATH: this.#searchPath, HOME: home, TMPDIR: temporary, LANG: language, ...env };
  }

  #watched(start: Start, { command, limits }: LocalServerConnection, own: string): LocalServer {
    const watch = this.#watch;
    const { report } = this.#options;
    let watching: ReturnType<Watch['add']> | undefined;
    return {
      ...start,
      watch: (pid) => {
        const onExceeded = (what: string) =>
          report(`a local MCP server (${path.basename(command)}) took ${what} and was ended`);
        watching = watch.add({ pid, limits, onExceeded });
      },
      requested: () => watching?.requested(),
      [Symbol.asyncDispose]: async () => {
        watching?.end();
        await rm(own, { recursive: true, force: true });
      },
    };
  }
}

/** Removes the folders of processes that were killed. Another user's cannot be removed, and need not be. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(FOLDER) ? Number.parseInt(name.slice(FOLDER.length), 10) : process.pid;
    if (!isRunning(pid))
      await rm(path.join(tmpdir(), name), { recursive: true, force: true }).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

type Start = Pick<LocalServer, 'command' | 'args' | 'env' | 'cwd'>;
