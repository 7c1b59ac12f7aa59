import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { services } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const MAIN = path.join(import.meta.dirname, 'main.ts');
const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');
const WELCOME = path.join(QUICKSTART, 'files', 'welcome.txt');
/** Ten processes and three servers start on whatever machine this is. */
const START_MS = 100_000;
const STOP_MS = 40_000;

const processSchema = z.object({ name: z.string(), pid: z.int() });
const upSchema = z.object({
  ingress: z.url(),
  console: z.url(),
  services: z.array(processSchema),
  servers: z.array(processSchema),
  data: z.string(),
});

interface Up {
  child: ChildProcess;
  said: () => string;
  shown: z.infer<typeof upSchema>;
}

let data = '';
const started: ChildProcess[] = [];
beforeAll(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-up-'));
});
afterAll(async () => {
  for (const child of started) await end(child);
  await rm(data, { recursive: true, force: true });
}, STOP_MS);

async function up(...args: string[]): Promise<Up> {
  const child = spawn(process.execPath, [
    MAIN,
    'up',
    '--config',
    QUICKSTART,
    '--data',
    data,
    '--json',
    ...args,
  ]);
  started.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const shown = await eventually(() => {
    if (child.exitCode !== null) return { failed: stderr };
    return stdout.endsWith('}\n') && { up: upSchema.parse(JSON.parse(stdout)) };
  }, START_MS);
  if (shown.up === undefined) throw new Error(`up ended: ${shown.failed}`);
  return { child, said: () => stderr, shown: shown.up };
}

async function interlock(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args, '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const [code] = await once(child, 'close');
  return { code, output };
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

function lives({ pid }: { pid: number }): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const readWelcome = () => interlock('call', 'files_read_text_file', JSON.stringify({ path: WELCOME }));

// Each promise below builds on the house that the one before it left.
describe('interlock up', () => {
  let house: Up;

  test(
    'starts every service as its own process and says where they are, and a call works',
    async () => {
      house = await up();
      expect(house.shown.services.map(({ name }) => name).sort()).toEqual([...services].sort());
      expect(new Set(house.shown.services.map(({ pid }) => pid)).size).toBe(services.length);
      expect(house.shown.services.every(lives)).toBe(true);
      expect(await readWelcome()).toMatchObject({
        code: 0,
        output: expect.stringContaining('This folder is what'),
      });
    },
    START_MS,
  );

  test('a second one on the same data is refused', async () => {
    const second = await interlock('up', '--config', QUICKSTART);
    expect(second).toMatchObject({
      code: 1,
      output: expect.stringContaining('interlock: already_running: '),
    });
  });

  test(
    '[P-up-supervises] starts again what dies, and calls work again',
    async () => {
      const executor = house.shown.services.find(({ name }) => name === 'executor');
      process.kill(executor?.pid ?? 0, 'SIGKILL');
      await eventually(() => house.said().includes('executor was ended by SIGKILL; it is started again'));
      await eventually(async () => (await readWelcome()).code === 0, START_MS);
    },
    START_MS,
  );

  test(
    '[P-up-supervises] stops on SIGTERM with exit code 0 and leaves no process',
    async () => {
      expect(await end(house.child)).toBe(0);
      expect([...house.shown.services, ...house.shown.servers].filter(lives)).toEqual([]);
    },
    STOP_MS,
  );

  test(
    'starts again on the same data in one process, where it was, and knows what it knew',
    async () => {
      const again = await up('--single');
      expect(new Set(again.shown.services.map(({ pid }) => pid)).size).toBe(1);
      expect([again.shown.ingress, again.shown.console]).toEqual([house.shown.ingress, house.shown.console]);
      expect(await readWelcome()).toMatchObject({ code: 0 });
      const { output } = await interlock('apply', QUICKSTART, '--json');
      expect(JSON.parse(output)).toMatchObject({ created: [], changed: [], removed: [] });
      expect(await end(again.child)).toBe(0);
    },
    START_MS + STOP_MS,
  );
});
