import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfiguration } from '@interlock/cli';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyExample } from './example.ts';

let scratch = '';
beforeEach(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'interlock-init-'));
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

test('a folder with content is not written to', async () => {
  await writeFile(path.join(scratch, 'people.yaml'), 'mine');
  await expect(copyExample('quickstart', scratch)).rejects.toMatchObject({ code: 'folder_not_empty' });
  expect(await readFile(path.join(scratch, 'people.yaml'), 'utf8')).toBe('mine');
});

test('[P-init-copies] the copy is a valid configuration, and the schemas its files name exist', async () => {
  const { folder, files } = await copyExample('quickstart', path.join(scratch, 'deep', 'own'));
  const { tools, people } = await loadConfiguration(folder);
  expect(tools.length).toBeGreaterThan(0);
  expect(people.map(({ person }) => person)).toEqual(['alice', 'bob']);
  expect(files.map((file) => path.relative(folder, file))).toContain('.gitignore');
  const named = await Promise.all(
    files.map(async (file) => {
      const [, schema] = /^\$schema: (.+)$/m.exec(await readFile(file, 'utf8')) ?? [];
      return schema === undefined ? [] : [path.resolve(path.dirname(file), schema)];
    }),
  );
  expect(named.flat().length).toBeGreaterThan(4);
  await Promise.all(named.flat().map((schema) => access(schema)));
});
