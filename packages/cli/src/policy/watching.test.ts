import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, test } from 'vitest';
import { runOnChanges } from './watching.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-watching-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('[P-policy-watched] work is done at once, again after a change of a file in a folder or below it, and no more when it is ended', async () => {
  const stop = new AbortController();
  let runs = 0;
  const whole = path.join(folder, 'policies');
  await mkdir(path.join(whole, 'rules', 'mine'), { recursive: true });
  const watched = runOnChanges(
    { flat: [folder], whole: [whole, path.join(folder, 'nowhere')] },
    async () => {
      runs += 1;
    },
    stop.signal,
  );
  await eventually(() => runs === 1);
  const files = [path.join(folder, 'people.yaml'), path.join(whole, 'rules', 'mine', 'mine.rego')];
  for (const file of files) {
    const before = runs;
    await writeFile(file, 'changed');
    await eventually(() => runs > before);
  }
  stop.abort();
  await watched;
});

test('[P-policy-watched] a change while work is done is not missed', async () => {
  const stop = new AbortController();
  let runs = 0;
  const watched = runOnChanges(
    { flat: [folder], whole: [] },
    async () => {
      runs += 1;
      if (runs === 1) await writeFile(path.join(folder, 'data.yaml'), 'changed');
    },
    stop.signal,
  );
  await eventually(() => runs > 1);
  stop.abort();
  await watched;
});
