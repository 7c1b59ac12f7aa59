import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureIdentities } from './identities.ts';

const NOW_MS = 1_767_225_600_000;

let data = '';
beforeAll(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-identities-'));
});
afterAll(async () => {
  await rm(data, { recursive: true, force: true });
});

test('a key file of 0 bytes is an error that names the file and says what to do, for every file with a key', async () => {
  await ensureIdentities(data, NOW_MS);
  const inside = (await readdir(path.join(data, 'keys'))).map((name) => path.join('keys', name));
  expect(inside.length).toBeGreaterThan(10);
  for (const file of [path.join('operator', 'operator.json'), ...inside]) {
    const folder = await mkdtemp(path.join(data, 'cut-'));
    await ensureIdentities(folder, NOW_MS);
    const cut = path.join(folder, file);
    await truncate(cut);
    await expect(ensureIdentities(folder, NOW_MS)).rejects.toMatchObject({
      code: 'keys_malformed',
      detail: `The key file ${cut} is empty: what it held is lost.`,
      next: expect.stringMatching(/^Restore it from a copy\..*another one\.$/),
    });
  }
});

test('keys are the same at the next start', async () => {
  const folder = await mkdtemp(path.join(data, 'same-'));
  const first = await ensureIdentities(folder, NOW_MS);
  expect(await ensureIdentities(folder, NOW_MS)).toEqual(first);
});
