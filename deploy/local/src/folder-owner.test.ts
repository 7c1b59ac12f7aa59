import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkDataFolder } from './folder-owner.ts';

const own = process.getuid?.() ?? 0;

let folder = '';
let data = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-folder-'));
  data = path.join(folder, 'data');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const open = (named: string) => ({ code: 'data_folder_open', message: expect.stringContaining(`${named} `) });

async function makeData(): Promise<void> {
  await mkdir(path.join(data, 'keys'), { recursive: true, mode: 0o700 });
  await writeFile(path.join(data, 'keys', 'executor.json'), '{}', { mode: 0o600 });
}

test('a data folder that others may write is refused, with its mode and what to do', async () => {
  await makeData();
  await chmod(data, 0o777);
  await expect(checkDataFolder(data)).rejects.toMatchObject({
    ...open(data),
    detail: expect.stringContaining('mode 0777'),
    next: expect.stringContaining('chmod'),
  });
});

test('a sticky data folder that others may write is refused: they could add to it', async () => {
  await makeData();
  await chmod(data, 0o1777);
  await expect(checkDataFolder(data)).rejects.toMatchObject(open(data));
});

test('a folder above that others may write is refused, because they could put another one in its place', async () => {
  await makeData();
  await chmod(folder, 0o777);
  await expect(checkDataFolder(data)).rejects.toMatchObject(open(folder));
});

test('a folder that does not exist yet is refused where others may write', async () => {
  await chmod(folder, 0o777);
  await expect(checkDataFolder(path.join(data, 'deeper'))).rejects.toMatchObject(open(folder));
});

test('a link to a data folder is judged by where it leads', async () => {
  await makeData();
  await chmod(data, 0o777);
  const link = path.join(folder, 'link');
  await symlink(data, link);
  await expect(checkDataFolder(link)).rejects.toMatchObject(open(data));
});

test('a file or folder in it that others may write is refused', async () => {
  await makeData();
  await writeFile(path.join(data, 'nats.conf'), '');
  await chmod(path.join(data, 'nats.conf'), 0o666);
  await expect(checkDataFolder(data)).rejects.toMatchObject(open(path.join(data, 'nats.conf')));
});

test('a folder of keys, or a key, that others may read is refused', async () => {
  await makeData();
  const key = path.join(data, 'keys', 'executor.json');
  await chmod(key, 0o644);
  await expect(checkDataFolder(data)).rejects.toMatchObject(open(key));
  await chmod(key, 0o600);
  await chmod(path.join(data, 'keys'), 0o755);
  await expect(checkDataFolder(data)).rejects.toMatchObject(open(path.join(data, 'keys')));
});

test('a data folder that another user owns is refused', async () => {
  await makeData();
  await expect(checkDataFolder(data, own + 1)).rejects.toMatchObject({
    code: 'data_folder_open',
    detail: expect.stringContaining(`belongs to the user with the number ${own}, who could replace`),
  });
});

test('a folder of this user alone is taken, in a sticky folder and below one that others may read', async () => {
  await makeData();
  await chmod(folder, 0o755);
  await chmod(data, 0o755);
  await expect(checkDataFolder(data)).resolves.toBeUndefined();
  await chmod(folder, 0o1777);
  await expect(checkDataFolder(data)).resolves.toBeUndefined();
});
