import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packagesOf, sourceChanges } from './source-changes.ts';

let stop = new AbortController();
let root = '';
beforeEach(async () => {
  stop = new AbortController();
  root = await mkdtemp(path.join(tmpdir(), 'interlock-sources-'));
  await makePackage('packages/keys', { zod: '1.0.0' });
  await makePackage('packages/bus', { '@interlock/keys': '0.1.0' });
  await makePackage('packages/policy', {});
  await makePackage('packages/cli', { '@interlock/keys': '0.1.0' });
  await makePackage('services/decider', { '@interlock/bus': '0.1.0', '@interlock/policy': '0.1.0' });
  await makePackage('services/limiter', { '@interlock/bus': '0.1.0' });
});
afterEach(async () => {
  stop.abort();
  await rm(root, { recursive: true, force: true });
});

async function makePackage(folder: string, dependencies: Record<string, string>): Promise<void> {
  await mkdir(path.join(root, folder, 'src', 'deep'), { recursive: true });
  const manifest = { name: `@interlock/${path.basename(folder)}`, dependencies };
  await writeFile(path.join(root, folder, 'package.json'), JSON.stringify(manifest));
}

test('a package is run by the services that import it, directly or through another', async () => {
  const found = await packagesOf(root);
  expect(Object.fromEntries(found.map(({ folder, services }) => [folder, services]))).toEqual({
    'packages/keys': ['decider', 'limiter'],
    'packages/bus': ['decider', 'limiter'],
    'packages/policy': ['decider'],
    'services/decider': ['decider'],
    'services/limiter': ['limiter'],
  });
});

test('a changed file names the services that run it, and a test is not run by any', async () => {
  const changes = sourceChanges(root, await packagesOf(root), stop.signal);
  const write = (file: string) => writeFile(path.join(root, file), '');
  await write('services/limiter/src/limiter.test.ts');
  await write('packages/policy/src/deep/rego.ts');
  expect((await changes.next()).value).toEqual({
    files: ['packages/policy/src/deep/rego.ts'],
    services: ['decider'],
  });
  await write('packages/keys/src/jws.ts');
  expect((await changes.next()).value).toEqual({
    files: ['packages/keys/src/jws.ts'],
    services: ['decider', 'limiter'],
  });
  stop.abort();
  expect((await changes.next()).done).toBe(true);
});
