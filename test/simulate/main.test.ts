/** `npm run simulate` as somebody runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const LONG_MS = 120_000;
const STARTED_MS = 60_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'il-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function simulate(...args: string[]) {
  const env = { ...process.env, TMPDIR: folder };
  return spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function ended(...args: string[]) {
  const child = simulate(...args);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, out, err };
}

test('explains every option and every kind of fault when it is asked', async () => {
  const { code, out } = await ended('--help');
  expect(code).toBe(0);
  for (const word of [
    '--seeds',
    '--seed ',
    '--calls',
    '--faults',
    '--at-once',
    '--json',
    'power-cut',
    'set-back',
  ])
    expect(out).toContain(word);
});

test.each([
  [['--seeds', '0'], '--seeds takes a whole number from 1 to'],
  [['--calls', 'many'], '--calls takes a whole number from 1 to'],
  [['--faults', 'kill,storm'], 'there is no kind of fault named storm'],
  [['--storm'], "Unknown option '--storm'"],
])('starts nothing and says what is wrong with %j', async (args, why) => {
  const { code, err, out } = await ended(...args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(why);
});

test.each<[when: string, begun: () => Promise<boolean>]>([
  ['it starts', async () => (await processesIn(folder)).some((line) => line.includes('nats.conf'))],
  // Only a fault of this round writes a copy of a store: calls are made, and others wait for their time.
  ['calls and faults are under way', async () => (await copiesIn(folder)).length > 0],
])(
  'ends every process and leaves no folder behind when it is interrupted while %s',
  async (_when, begun) => {
    const child = simulate('--seed', '1', '--calls', '2000', '--faults', 'set-back');
    const err = text(child.stderr);
    await eventually(begun, STARTED_MS);
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');
    expect({ code, err: await err }).toEqual({ code: 130, err: 'simulate: interrupted by SIGTERM\n' });
    expect(await readdir(folder)).toEqual([]);
    expect(await processesIn(folder)).toEqual([]);
  },
  LONG_MS,
);

/** Returns the copies of stores below a folder. */
async function copiesIn(below: string): Promise<string[]> {
  return (await readdir(below, { recursive: true })).filter((name) => name.endsWith('.copy'));
}

/** Returns the command lines that have a path below a folder. */
async function processesIn(below: string): Promise<string[]> {
  const child = spawn('ps', ['-Awwo', 'args='], { stdio: ['ignore', 'pipe', 'inherit'] });
  return (await text(child.stdout)).split('\n').filter((line) => line.includes(below));
}
