/** The author's key: its holder decides what policy says. */
import path from 'node:path';
import { type AuthorKey, authorKeySchema } from '@interlock/keys';
import { type Environment, Failure, processEnvironment, readIfPresent } from '@interlock/shell';

/** Returns where the author's key is unless INTERLOCK_AUTHOR_KEY_FILE names another place. */
export function authorKeyFile(data: string): string {
  return path.join(data, 'keys', 'author.json');
}

/**
 * Reads the author's key: the file INTERLOCK_AUTHOR_KEY_FILE names, else the one of the data folder.
 * Throws `author_missing` or `keys_malformed`.
 */
export async function readAuthor(
  data: string,
  env: Environment = processEnvironment(),
): Promise<AuthorKey['sign']> {
  const { INTERLOCK_AUTHOR_KEY_FILE: file = authorKeyFile(data) } = env;
  const text = await readIfPresent(file);
  if (text === undefined)
    throw new Failure(
      'author_missing',
      `The author's key file ${file} does not exist. Policies are signed with it.`,
      {
        next: "Name the author's key file with INTERLOCK_AUTHOR_KEY_FILE, or restore it from a copy.",
      },
    );
  try {
    return authorKeySchema.parse(JSON.parse(text)).sign;
  } catch {
    // What the parsers throw may quote the private key.
    throw new Failure('keys_malformed', `${file} is not an author's key file.`, {
      next: 'Restore it from a copy.',
    });
  }
}
