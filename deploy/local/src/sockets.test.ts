import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { socketFolder } from './sockets.ts';

let data = '';
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-sockets-'));
});
afterEach(async () => {
  await rm(data, { recursive: true, force: true });
});

test('sockets are in the data folder, in a folder that only its user may enter', async () => {
  const folder = await socketFolder(data);
  expect(folder).toBe(path.join(data, 'sockets'));
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await socketFolder(data)).toBe(folder);
});

test('of a data folder with a long path they are in a short one, the same at each start, and another for another data folder', async () => {
  const long = path.join(data, 'a'.repeat(60), 'b'.repeat(60));
  const folder = await socketFolder(long);
  const other = await socketFolder(`${long}c`);
  try {
    expect(Buffer.byteLength(path.join(folder, 'ferretdb.sock'))).toBeLessThanOrEqual(100);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await socketFolder(long)).toBe(folder);
    expect(other).not.toBe(folder);
  } finally {
    await rm(folder, { recursive: true });
    await rm(other, { recursive: true });
  }
});

test('a folder that others may enter is refused', async () => {
  await mkdir(path.join(data, 'sockets'));
  await chmod(path.join(data, 'sockets'), 0o755);
  await expect(socketFolder(data)).rejects.toMatchObject({ code: 'socket_folder_open' });
});
