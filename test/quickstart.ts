/** Follows the README's section for newcomers, word for word: only the id of a call is put in. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { expect } from 'vitest';
import { BLOCK_MS, type Newcomer, UP_MS } from './newcomer.ts';

const SECTION = '## A first own tool and policy in under five minutes';
export const QUICKSTART_MS = UP_MS + 5 * BLOCK_MS;

/** From a start to a call that an own rule refuses, one that a person approves, and the end. */
export async function followQuickstart(newcomer: Newcomer): Promise<void> {
  const blocks = await newcomer.blocksOf('README.md', SECTION);
  const [start = '', agent = '', own = '', answer = '', end = ''] = blocks;
  expect(blocks).toHaveLength(5);

  const first = newcomer.terminal();
  first.type(start);
  await eventually(() => first.output.includes('Stop with Ctrl-C'), UP_MS);

  const second = newcomer.terminal();
  const calls = await second.run(agent);
  expect(calls).toContain('This folder is what the agent can see');
  expect(calls).toMatch(/ {2}held\n/);

  const owned = await second.run(own);
  expect(owned).toContain('created   tool/delete-note');
  expect(owned).toContain('policy_denied: The first note stays. (rule first_note_stays');
  const [, call = ''] = /(c_[A-Za-z0-9_-]+) {2}held/.exec(owned) ?? [];
  expect(owned).toContain(`${call}  delete-note`);

  // A person answers the question at a terminal; here is none.
  const answered = await second.run(answer.replaceAll('CALL', call).replace('approve ', 'approve --yes '));
  expect(answered).toContain('approved by bob');
  // An approved call is carried out, and recorded, a moment after the approval.
  const trail = `interlock audit show ${call} --json`;
  await eventually(async () => (await second.run(trail)).includes('"outcome": "succeeded"'), BLOCK_MS);
  const notes: unknown = JSON.parse(
    await readFile(path.join(newcomer.home, 'my-interlock', 'notes.json'), 'utf8'),
  );
  expect(notes).toMatchObject({ notes: [{ id: 1, title: 'First' }] });

  expect(await second.run(end)).toContain('stopped  interlock up and its services');
  expect(await first.run('echo "exit code $?"')).toContain('exit code 0');
}
