/** Does what the README tells a newcomer to do, word for word: only the folder, the port and the call's id are put in. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BLOCK_MS, Newcomer, ROOT, UP_MS } from './newcomer.ts';

const SECTION = '## A first own tool and policy in under five minutes';
const COMMANDS_MS = UP_MS + 4 * BLOCK_MS;

let newcomer: Newcomer;
beforeAll(async () => {
  newcomer = await Newcomer.arrive();
});
afterAll(async () => {
  await newcomer.leave();
}, UP_MS);

/** Returns the README's section. */
async function section(): Promise<string> {
  const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
  const [, after = ''] = readme.split(`${SECTION}\n`);
  const [own = ''] = after.split('\n## ');
  return own;
}

describe('[P-quickstart] the README', () => {
  test(
    'leads a newcomer from a start to a call that an own rule refuses and one that a person approves',
    async () => {
      const blocks = newcomer.blocksOf(await section());
      const [start = '', agent = '', own = '', answer = ''] = blocks;
      expect(blocks).toHaveLength(4);

      const house = newcomer.terminal();
      house.type(start);
      await eventually(() => house.output.includes('Stop with Ctrl-C'), UP_MS);

      const shell = newcomer.terminal();
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
      // An approved call is carried out, and written down, a moment after the approval.
      const trail = `interlock audit show ${call} --json`;
      await eventually(async () => (await shell.run(trail)).includes('"outcome": "succeeded"'), COMMANDS_MS);
      const notes: unknown = JSON.parse(await readFile(newcomer.notes, 'utf8'));
      expect(notes).toEqual({ notes: [{ id: 1, title: 'First', body: 'Keep me.' }] });
    },
    COMMANDS_MS,
  );
});
