/** The format of data folders. There is no release yet, so no format is converted into another: docs/decisions/032. */
import { readdir } from 'node:fs/promises';
import { Failure, readIfPresent, writePrivate } from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './installation-files.ts';

/** Grows with every change that makes older data folders unusable. */
const FORMAT = 2;
const formatSchema = z.strictObject({ format: z.int() });

/** Writes the format into a new data folder. Throws `data_format_unknown` for a folder with content of another format. */
export async function ensureFormat(data: string): Promise<void> {
  const { format: file } = dataFiles(data);
  const found = formatIn(await readIfPresent(file));
  if (found === FORMAT) return;
  if (!(await isEmpty(data)))
    throw new Failure(
      'data_format_unknown',
      `The data folder ${data} has ${found === undefined ? 'no format version' : `format version ${found}`}, and this version of Interlock reads version ${FORMAT} only.`,
      {
        next: 'Name an empty folder with --data. Nothing converts the old one: remove it if you need its keys, credentials and audit trail no longer.',
      },
    );
  await writePrivate(file, `${JSON.stringify({ format: FORMAT })}\n`);
}

function formatIn(text: string | undefined): number | undefined {
  try {
    return formatSchema.parse(JSON.parse(text ?? '')).format;
  } catch {
    return undefined;
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    throw error;
  }
}
