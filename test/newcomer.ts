/** A newcomer who follows the documentation word for word: a clone, a home folder, and open terminals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, freePort } from '@interlock/testkit';
import { type Clone, makeClone } from './clone.ts';

/** The port that the documentation and the example name; each newcomer's clone names a free one instead. */
const WRITTEN_PORT = '8090';
const DOCUMENTS = ['README.md', 'docs/policy-tutorial.md'];
const TOOLS = 'examples/quickstart/tools';
/** A dozen processes start and stop, on a slow machine too. */
export const UP_MS = 120_000;
/** What one block of commands takes there. */
export const BLOCK_MS = 120_000;

/** A shell, as a newcomer has one open. */
export class Terminal {
  readonly #shell: ChildProcess;
  #output = '';
  #blocks = 0;

  constructor(clone: string, home: string) {
    // Set-up keeps programs and compiled modules in the user's cache, not in a newcomer's home folder.
    const { XDG_CACHE_HOME = path.join(homedir(), '.cache') } = process.env;
    this.#shell = spawn('bash', ['--norc'], {
      cwd: clone,
      env: { ...process.env, HOME: home, XDG_CACHE_HOME },
      // It leads a group of its own: closing it ends what still runs in it.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
  }

  get output(): string {
    return this.#output;
  }

  /** Types commands and does not wait. */
  type(commands: string): void {
    this.#shell.stdin?.write(`${commands}\n`);
  }

  /** Types commands, and returns what they printed once they have ended. */
  async run(commands: string): Promise<string> {
    const from = this.#output.length;
    this.#blocks += 1;
    const end = `end of block ${this.#blocks}`;
    this.type(`${commands}\necho "${end}"`);
    await eventually(() => this.#output.includes(end), BLOCK_MS);
    return this.#output.slice(from);
  }

  /** Ends everything that runs in it, in order. */
  async close(): Promise<void> {
    const { pid } = this.#shell;
    if (pid === undefined || this.#shell.exitCode !== null || this.#shell.signalCode !== null) return;
    const closed = once(this.#shell, 'close');
    this.#shell.stdin?.end();
    process.kill(-pid, 'SIGTERM');
    await closed;
  }
}

/** A newcomer with a clone of the repository. Disposing it closes its terminals and removes its files. */
export class Newcomer implements AsyncDisposable {
  readonly clone: Clone;
  readonly home: string;
  readonly #terminals: Terminal[] = [];

  private constructor(clone: Clone, home: string) {
    this.clone = clone;
    this.home = home;
  }

  static async arrive(): Promise<Newcomer> {
    const port = String(await freePort());
    const tools = (await readdir(path.resolve(import.meta.dirname, '..', TOOLS))).map(
      (name) => `${TOOLS}/${name}`,
    );
    const clone = await makeClone({
      files: [...DOCUMENTS, ...tools],
      edit: (text) => text.replaceAll(WRITTEN_PORT, port),
    });
    const home = await mkdtemp(path.join(tmpdir(), 'interlock-home-'));
    await mkdir(home, { recursive: true });
    return new Newcomer(clone, home);
  }

  /** Returns the commands of a document of the clone, or of one of its sections, block by block. */
  async blocksOf(document: string, section?: string): Promise<string[]> {
    const text = await readFile(path.join(this.clone.folder, document), 'utf8');
    const [, after = ''] = section === undefined ? ['', text] : text.split(`${section}\n`);
    const [own = ''] = section === undefined ? [after] : after.split('\n## ');
    return [...own.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands);
  }

  terminal(): Terminal {
    const opened = new Terminal(this.clone.folder, this.home);
    this.#terminals.push(opened);
    return opened;
  }

  /** Closes every terminal, as a newcomer does at the end of a document. */
  async closeTerminals(): Promise<void> {
    await Promise.all(this.#terminals.map((terminal) => terminal.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeTerminals();
    await rm(this.home, { recursive: true, force: true });
    await this.clone[Symbol.asyncDispose]();
  }
}
