/** What `interlock doctor` checks in the data folder of an installation. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Check, checked } from '@interlock/cli';
import { Failure } from '@interlock/shell';
import { dataFiles } from './installation-files.ts';

/** Bits by which others than the owner could read or write. */
const OTHERS = 0o077;

/** Checks that every file with a key or token is readable by its owner alone. */
export async function checkKeyFiles(data: string): Promise<Check[]> {
  const { keys, context, operator } = dataFiles(data);
  const inside = await readdir(keys).catch(() => []);
  const files = [keys, ...inside.map((name) => path.join(keys, name)), operator, context];
  return await Promise.all(
    files.map((file) =>
      checked(`only its owner reads ${path.relative(data, file)}`, async () => {
        const { mode } = await stat(file);
        const text = `mode ${(mode & 0o777).toString(8).padStart(4, '0')}`;
        if ((mode & OTHERS) !== 0)
          throw new Failure('file_open', text, { next: `Others can read it: chmod go= ${file}` });
        return text;
      }),
    ),
  );
}
