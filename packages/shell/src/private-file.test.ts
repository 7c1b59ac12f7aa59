import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { writePrivate } from './private-file.ts';

test('a private file that cannot be written leaves no part of its content beside it', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-private-'));
  stack.defer(() => rm(folder, { recursive: true }));
  await mkdir(path.join(folder, 'taken'));
  await expect(writePrivate(path.join(folder, 'taken'), 'secret')).rejects.toMatchObject({ code: 'EISDIR' });
  expect(await readdir(folder)).toEqual(['taken']);
});
