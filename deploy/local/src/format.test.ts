import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureFormat } from './format.ts';
import { startInterlock } from './installation.ts';

const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');

let data = '';
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-format-'));
});
afterEach(async () => {
  await rm(data, { recursive: true, force: true });
});

test('[P-data-format] a folder with content and no format version is refused, and stays as it is', async () => {
  await mkdir(path.join(data, 'keys'), { mode: 0o700 });
  await expect(startInterlock({ config: QUICKSTART, data })).rejects.toMatchObject({
    code: 'data_format_unknown',
    detail: `The data folder ${data} has no format version, and this version of Interlock reads version 2 only.`,
    next: expect.stringContaining('Name an empty folder with --data.'),
  });
  expect(await readdir(data)).toEqual(['keys']);
});

test.each([
  ['another format version', '{"format":1}', 'has format version 1'],
  ['a broken format file', '{"format":', 'has no format version'],
])('[P-data-format] a folder with %s is refused', async (_, content, words) => {
  await writeFile(path.join(data, 'format.json'), content);
  await expect(ensureFormat(data)).rejects.toMatchObject({
    code: 'data_format_unknown',
    detail: expect.stringContaining(words),
  });
});

test('[P-data-format] a new folder gets the format version, and is then accepted', async () => {
  const fresh = path.join(data, 'fresh');
  await ensureFormat(fresh);
  expect(await readdir(fresh)).toEqual(['format.json']);
  await writeFile(path.join(fresh, 'ports.json'), '{}');
  await ensureFormat(fresh);
});
