/** Does what the README tells a newcomer to do, word for word: only the folder, the port and the call's id are put in. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, freePort } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');
const SECTION = '## A first own tool and policy in under five minutes';
const WRITTEN_PORT = '8090';
/** A dozen processes start and stop on whatever machine this is. */
const UP_MS = 120_000;
const BLOCK_MS = 120_000;
const COMMANDS_MS = UP_MS + 4 * BLOCK_MS;

/** A shell, as a newcomer has one open. */
class Terminal {
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

const terminals: Terminal[] = [];
let folder = '';
let blocks: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-quickstart-'));
  const config = path.join(folder, 'quickstart');
  await cp(path.join(ROOT, 'examples', 'quickstart'), config, {
    recursive: true,
    filter: (source) => !source.includes('.interlock'),
  });
  const port = String(await freePort());
  for (const tool of ['read-note.yaml', 'add-note.yaml'])
    await replacePort(path.join(config, 'tools', tool), port);
  blocks = (await newcomersBlocks()).map((block) =>
    block
      .replaceAll('$PWD/examples/quickstart', config)
      .replaceAll('examples/quickstart', config)
      .replaceAll('/tmp/notes.json', path.join(folder, 'notes.json'))
      .replaceAll(WRITTEN_PORT, port),
  );
});
afterAll(async () => {
  await Promise.all(terminals.map((terminal) => terminal.close()));
  await rm(folder, { recursive: true, force: true });
}, UP_MS);

/** Returns the commands of the README's section, block by block. */
async function newcomersBlocks(): Promise<string[]> {
  const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
  const [, section = ''] = readme.split(`${SECTION}\n`);
  const [own = ''] = section.split('\n## ');
  return [...own.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands);
}

async function replacePort(file: string, port: string): Promise<void> {
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll(WRITTEN_PORT, port));
}

function terminal(): Terminal {
  const opened = new Terminal();
  terminals.push(opened);
  return opened;
}

describe('[P-quickstart] the README', () => {
  test(
    'leads a newcomer from a start to a call that an own rule refuses and one that a person approves',
    async () => {
      const [start = '', agent = '', own = '', answer = ''] = blocks;
      expect(blocks).toHaveLength(4);

      const house = terminal();
      house.type(start);
      await eventually(() => house.output.includes('Stop with Ctrl-C'), UP_MS);

      const shell = terminal();
      const calls = await shell.run(agent);
      expect(calls).toContain('This folder is what the agent can see');
      expect(calls).toMatch(/ {2}succeeded {2}upstream 201\n/);
      expect(calls).toMatch(/ {2}held\n/);

      const owned = await shell.run(own);
      expect(owned).toContain('created   tool/delete-note');
      expect(owned).toContain('policy_denied: The first note stays. (rule first_note_stays');
      const [, call = ''] = /(c_[A-Za-z0-9_-]+) {2}held/.exec(owned) ?? [];
      expect(owned).toContain(`${call}  delete-note`);

      const answered = await shell.run(answer.replaceAll('CALL', call));
      expect(answered).toContain('approved by bob');
      expect(answered).toContain('intact: ');
      const settled = await shell.run(`interlock audit show ${call} --json`);
      expect(settled).toContain('"outcome": "succeeded"');
      const notes: unknown = JSON.parse(await readFile(path.join(folder, 'notes.json'), 'utf8'));
      expect(notes).toEqual({ notes: [{ id: 1, title: 'First', body: 'Keep me.' }] });
    },
    COMMANDS_MS,
  );
});
