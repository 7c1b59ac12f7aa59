/** The example configurations of the repository. */
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pointingAtSchemas } from '@interlock/cli';
import { Failure } from '@interlock/shell';

export const examples = ['quickstart'] as const;
export type Example = (typeof examples)[number];

const FOLDER = fileURLToPath(new URL('../../../examples', import.meta.url));
/** What belongs to the example and not to a copy of it: its page, and what a run left. */
const LEFT_OUT: readonly string[] = ['README.md', '.interlock'];

/** Copies an example to a folder that does not exist or is empty. Throws `folder_not_empty`. */
export async function copyExample(
  example: Example,
  dir: string,
): Promise<{ folder: string; from: Example; files: string[] }> {
  const folder = path.resolve(dir);
  const present = await readdir(folder).catch(() => []);
  if (present.length > 0)
    throw new Failure('folder_not_empty', `${folder} exists and is not empty.`, {
      next: 'Choose another folder, or remove this one if you need it no longer.',
    });
  const source = path.join(FOLDER, example);
  await cp(source, folder, {
    recursive: true,
    filter: (file) => !LEFT_OUT.includes(path.relative(source, file)),
  });
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name));
  for (const file of files.filter((name) => name.endsWith('.yaml'))) {
    await writeFile(file, pointingAtSchemas(await readFile(file, 'utf8'), file));
  }
  return { folder, from: example, files: files.sort() };
}
