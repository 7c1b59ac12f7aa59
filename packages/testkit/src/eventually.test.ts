import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';

test('a check that never holds fails at the deadline with its last error as the cause', async () => {
  const waiting = eventually(() => {
    throw new Error('not yet');
  }, 50);
  await expect(waiting).rejects.toMatchObject({
    message: 'What was waited for did not happen within 50 ms.',
    cause: { message: 'not yet' },
  });
});

test('a check that holds at last gives its answer', async () => {
  let asked = 0;
  const answer = await eventually(() => {
    asked += 1;
    if (asked === 1) throw new Error('not yet');
    return asked === 3 && 'here';
  });
  expect(answer).toBe('here');
});
