import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Folders that are not ours to keep tidy: what is installed, cached, or written by a run. */
const SKIPPED = ['node_modules', '.git', '.turbo', '.interlock', 'coverage', 'dist'];
const READ = /\.(ts|mjs|js|rego|md|json|jsonc|yaml|yml|sh|toml|mod)$|\/\.?[a-z]+$/;
const CODE = /\.(ts|mjs|js|rego)$/;
const TESTS = /\.test\.ts$|\.fixture\.ts$|\/test-fixtures\/|^test\/|^packages\/testkit\//;

/** A file of the repository: its path from the root with `/`, and its text. */
export interface Source {
  path: string;
  text: string;
  lines: string[];
  /** True for code: TypeScript, plain JavaScript, Rego. */
  isCode: boolean;
  /** True for tests and what only tests use. */
  isTest: boolean;
}

export const root = resolve(import.meta.dirname, '../..');

/** Reads every file of the repository that people write. */
export function readSources(): Source[] {
  return pathsUnder('').map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path, text, lines: text.split('\n'), isCode: CODE.test(path), isTest: TESTS.test(path) };
  });
}

function pathsUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.includes(entry.name) ? [] : pathsUnder(path);
    return entry.isFile() && !SKIPPED.includes(entry.name) && READ.test(`/${path}`) ? [path] : [];
  });
}

/** Returns `path:line: words` for every line that matches, outside of lines `except` matches. */
export function linesLike(sources: Source[], pattern: RegExp, words: string, except?: RegExp): string[] {
  return sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      pattern.test(line) && except?.test(line) !== true ? [`${path}:${index + 1}: ${words}`] : [],
    ),
  );
}
