/** Does what the tutorial tells an author of policies to do, word for word: only folder, port and calls' ids are put in. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { BLOCK_MS, Newcomer, ROOT, type Terminal, UP_MS } from './newcomer.ts';

const TUTORIAL = path.join(ROOT, 'docs', 'policy-tutorial.md');
const COMMANDS_MS = UP_MS + 10 * BLOCK_MS;
const DENIED = 'policy_denied: A note may not be this long. (rule short_notes';

let newcomer: Newcomer;
beforeAll(async () => {
  newcomer = await Newcomer.arrive();
});
afterAll(async () => {
  await newcomer.leave();
}, UP_MS);

const notesSchema = z.object({ notes: z.array(z.object({ title: z.string() })) });

async function titles(): Promise<string[]> {
  const { notes } = notesSchema.parse(JSON.parse(await readFile(newcomer.notes, 'utf8')));
  return notes.map(({ title }) => title);
}

/** Returns the calls that a block of commands made, in order. */
function callsIn(said: string): string[] {
  return [...said.matchAll(/^(c_[A-Za-z0-9_-]+) {2}/gm)].map(([, call = '']) => call);
}

/** Asks the audit trail, which is written a moment behind the calls, until it says so. */
async function untilSaid(shell: Terminal, question: string, words: string): Promise<void> {
  await eventually(async () => (await shell.run(question)).includes(words), BLOCK_MS);
}

describe('[P-policy-tutorial] the tutorial', () => {
  test(
    'leads an author from a first rule with a test to production and back',
    async () => {
      const blocks = newcomer.blocksOf(await readFile(TUTORIAL, 'utf8'));
      expect(blocks).toHaveLength(12);
      const [start = '', traffic = '', fresh = '', written = '', guessed = '', ...later] = blocks;
      const [judged = '', tuned = '', shadowed = '', report = '', published = '', explained = '', back = ''] =
        later;

      const house = newcomer.terminal();
      house.type(start);
      await eventually(() => house.output.includes('Stop with Ctrl-C'), UP_MS);
      const shell = newcomer.terminal();

      const [, good = '', bad = ''] = callsIn(await shell.run(traffic));
      expect(await titles()).toEqual(['Milk', 'Shopping', 'Backup']);
      await untilSaid(shell, 'interlock audit search --tool add-note --step settled', bad);

      expect(await shell.run(fresh)).toContain('short_notes_test.rego');
      const tested = await shell.run(written);
      expect(tested).toMatch(/^passed {2}/m);
      expect(tested).not.toContain('FAIL');

      const first = await shell.run(guessed);
      expect(first).toContain('2 verdicts change: 0 get wider, 2 narrower.');
      expect(first).toMatch(/allow -> deny {2}add-note .*short_notes/);
      const second = await shell.run(judged.replaceAll('GOOD', good).replaceAll('BAD', bad));
      expect(second).toMatch(/^candidate {2}1 of 2 {2}/m);
      const third = await shell.run(`${tuned}echo "exit code $?"`);
      expect(third).toContain('1 verdicts change: 0 get wider, 1 narrower.');
      expect(third).toMatch(/^candidate {2}2 of 2 {2}/m);
      expect(third).toContain('exit code 0');

      await shell.run(shadowed);
      await untilSaid(shell, report, 'the candidate disagreed about 1.');
      expect(await titles()).toEqual(['Milk', 'Shopping', 'Backup', 'Tea', 'Minutes']);

      const live = await shell.run(published);
      expect(live).toContain('added    rule short_notes');
      expect(live).toContain(DENIED);
      const [, refused = ''] =
        /policy_denied: .*\(rule short_notes, call (c_[A-Za-z0-9_-]+)\)/.exec(live) ?? [];
      await untilSaid(shell, explained.replaceAll('CALL', refused), 'A note may not be this long.');

      const again = await shell.run(back);
      expect(again).not.toContain(DENIED);
      expect(again).toContain('intact: ');
      expect(await titles()).toEqual(['Milk', 'Shopping', 'Backup', 'Tea', 'Minutes', 'Minutes']);
    },
    COMMANDS_MS,
  );
});
