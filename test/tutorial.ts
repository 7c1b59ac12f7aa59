/** Follows the tutorial about policies, word for word: only ids of calls are put in. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { expect } from 'vitest';
import { z } from 'zod';
import { BLOCK_MS, type Newcomer, type Terminal, UP_MS } from './newcomer.ts';

const TUTORIAL = 'docs/policy-tutorial.md';
export const TUTORIAL_MS = UP_MS + 10 * BLOCK_MS;
const DENIED = 'policy_denied: A note may not be this long. (rule short_notes';

const notesSchema = z.object({ notes: z.array(z.object({ title: z.string() })) });

/** From a first rule with a test to production and back. */
export async function followTutorial(newcomer: Newcomer): Promise<void> {
  const blocks = await newcomer.blocksOf(TUTORIAL);
  expect(blocks).toHaveLength(13);
  const [start = '', traffic = '', fresh = '', written = '', asked = '', ...later] = blocks;
  const [
    guessed = '',
    judged = '',
    tuned = '',
    shadowed = '',
    report = '',
    published = '',
    explained = '',
    back = '',
  ] = later;

  const first = newcomer.terminal();
  first.type(start);
  await eventually(() => first.output.includes('Stop with Ctrl-C'), UP_MS);
  const shell = newcomer.terminal();

  const [, good = '', bad = ''] = callsIn(await shell.run(traffic));
  expect(await titlesOf(newcomer)).toEqual(['First', 'Second', 'Milk', 'Shopping', 'Backup']);
  await untilPrinted(shell, 'interlock audit search --tool add-note --step settled', bad);

  expect(await shell.run(fresh)).toContain('short_notes_test.rego');
  const tested = await shell.run(written);
  expect(tested).toMatch(/^passed {2}/m);
  expect(tested).not.toContain('FAIL');

  expect(await shell.run(asked)).toMatch(/^ALLOW {2}add-note, default\/helper, /m);

  const guess = await shell.run(guessed);
  expect(guess).toContain('2 verdicts change: 0 get wider, 2 narrower.');
  expect(guess).toMatch(/allow -> deny {2}add-note .*short_notes/);
  const labelled = await shell.run(judged.replaceAll('GOOD', good).replaceAll('BAD', bad));
  expect(labelled).toMatch(/^candidate {2}1 of 2 {2}/m);
  const adjusted = await shell.run(`${tuned}echo "exit code $?"`);
  expect(adjusted).toContain('1 verdicts change: 0 get wider, 1 narrower.');
  expect(adjusted).toMatch(/^candidate {2}2 of 2 {2}/m);
  expect(adjusted).toContain('exit code 0');

  await shell.run(shadowed);
  await untilPrinted(shell, report, 'the candidate disagreed about 1.');
  expect(await titlesOf(newcomer)).toEqual([
    'First',
    'Second',
    'Milk',
    'Shopping',
    'Backup',
    'Tea',
    'Minutes',
  ]);

  const live = await shell.run(published);
  expect(live).toContain('added    rule short_notes');
  expect(live).toContain(DENIED);
  const [, refused = ''] = /policy_denied: .*\(rule short_notes, call (c_[A-Za-z0-9_-]+)\)/.exec(live) ?? [];
  await untilPrinted(shell, explained.replaceAll('CALL', refused), 'A note may not be this long.');

  const again = await shell.run(back);
  expect(again).not.toContain(DENIED);
  expect(again).toContain('intact: ');
  expect(await titlesOf(newcomer)).toEqual([
    'First',
    'Second',
    'Milk',
    'Shopping',
    'Backup',
    'Tea',
    'Minutes',
    'Minutes',
  ]);
}

async function titlesOf({ home }: Newcomer): Promise<string[]> {
  const file = path.join(home, 'interlock-tutorial', 'notes.json');
  const { notes } = notesSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  return notes.map(({ title }) => title);
}

/** Returns the calls that a block of commands made, in order. */
function callsIn(output: string): string[] {
  return [...output.matchAll(/^(c_[A-Za-z0-9_-]+) {2}/gm)].map(([, call = '']) => call);
}

/** Repeats a question about the audit trail, which follows the calls after a moment, until the answer has the words. */
async function untilPrinted(shell: Terminal, question: string, words: string): Promise<void> {
  await eventually(async () => (await shell.run(question)).includes(words), BLOCK_MS);
}
