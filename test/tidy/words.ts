import type { Source } from './sources.ts';

/** A word that a reader from outside does not know, and the plain one. */
interface Word {
  /** What is looked for, in a line of any file. */
  pattern: RegExp;
  /** What to write. */
  write: string;
  /** Paths where it may stand, because it means there what the dictionary says. */
  except?: RegExp;
}

/** What no file says: names, comments, messages, titles of tests and documents. */
const words: readonly Word[] = [];

/** Returns `path:line: …` for every word that has a plainer one. */
export function privateWords(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, lines }) => {
    const own = words.filter(({ except }) => except?.test(path) !== true);
    return lines.flatMap((line, index) =>
      own
        .filter(({ pattern }) => pattern.test(line))
        .map(({ pattern, write }) => `${path}:${index + 1}: ${pattern.source}: ${write}`),
    );
  });
}
