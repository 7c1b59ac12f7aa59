/** The author's key: whoever holds it decides what policy says. */
import { type AuthorKey, authorKeySchema } from '@interlock/keys';
import { type Environment, Failure, processEnvironment } from '@interlock/shell';
import { readIfThere } from './context.ts';
import { dataFiles } from './places.ts';

/**
 * Reads the author's key: the file INTERLOCK_AUTHOR_KEY_FILE names, else the one of the data folder.
 * Throws `author_missing` or `keys_malformed`.
 */
export async function readAuthor(
  data: string,
  env: Environment = processEnvironment(),
): Promise<AuthorKey['sign']> {
  const { INTERLOCK_AUTHOR_KEY_FILE: file = dataFiles(data).author } = env;
  const text = await readIfThere(file);
  if (text === undefined)
    throw new Failure('author_missing', `${file} is missing, and policies are signed with it.`, {
      next: "Name the author's key file with INTERLOCK_AUTHOR_KEY_FILE, or put it back from a copy.",
    });
  try {
    return authorKeySchema.parse(JSON.parse(text)).sign;
  } catch {
    // What the parsers throw may quote the private key.
    throw new Failure('keys_malformed', `${file} is not an author's key file.`, {
      next: 'Put it back from a copy.',
    });
  }
}
