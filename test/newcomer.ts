/** Somebody who follows the documentation word for word: a copy of the example it is about, and open shells. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, freePort } from '@interlock/testkit';

export const ROOT = path.resolve(import.meta.dirname, '..');
const EXAMPLE = path.join('examples', 'quickstart');
const WRITTEN_PORT = '8090';
const WRITTEN_STORE = '/tmp/notes.json';
/** A dozen processes start and stop on whatever machine this is. */
export const UP_MS = 120_000;
/** What one block of commands takes there. */
export const BLOCK_MS = 120_000;

/** A shell, as a newcomer has one open. */
export class Terminal {
  readonly #shell: ChildProcess;
  #output = '';
  #blocks = 0;

  constructor() {
    // It leads a group of its own: closing it ends what was left running in it.
    this.#shell = spawn('bash', ['--norc'], { cwd: ROOT, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
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

  /** Types commands, and returns what they said once they have ended. */
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

/** A newcomer with a copy of `examples/quickstart`, whose API listens on a port of its own. */
export class Newcomer {
  readonly folder: string;
  readonly #port: string;
  readonly #terminals: Terminal[] = [];

  private constructor(folder: string, port: string) {
    this.folder = folder;
    this.#port = port;
  }

  static async arrive(): Promise<Newcomer> {
    const newcomer = new Newcomer(
      await mkdtemp(path.join(tmpdir(), 'interlock-newcomer-')),
      String(await freePort()),
    );
    await cp(path.join(ROOT, EXAMPLE), newcomer.config, {
      recursive: true,
      filter: (source) => !source.includes('.interlock'),
    });
    const tools = path.join(newcomer.config, 'tools');
    for (const name of await readdir(tools)) {
      const file = path.join(tools, name);
      await writeFile(file, newcomer.#put(await readFile(file, 'utf8')));
    }
    return newcomer;
  }

  /** The copied configuration. */
  get config(): string {
    return path.join(this.folder, 'quickstart');
  }

  /** The file the notes API keeps its notes in. */
  get notes(): string {
    return path.join(this.folder, 'notes.json');
  }

  /** Returns the commands of a document, block by block: only folder, file and port are the newcomer's own. */
  blocksOf(markdown: string): string[] {
    return [...markdown.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => this.#put(commands));
  }

  terminal(): Terminal {
    const opened = new Terminal();
    this.#terminals.push(opened);
    return opened;
  }

  async leave(): Promise<void> {
    await Promise.all(this.#terminals.map((terminal) => terminal.close()));
    await rm(this.folder, { recursive: true, force: true });
  }

  #put(text: string): string {
    return text
      .replaceAll(`$PWD/${EXAMPLE}`, this.config)
      .replaceAll(EXAMPLE, this.config)
      .replaceAll(WRITTEN_STORE, this.notes)
      .replaceAll(WRITTEN_PORT, this.#port);
  }
}
