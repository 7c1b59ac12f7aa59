/**
 * A recipe of docs/how-to, read as a person reads it. A line that ends in a colon says what to do with the block below:
 *
 * - Create `path`:
 * - In `path`, below `text`:          after the one line that holds the text
 * - In `path`, above `text`:          before that line
 * - In `path`, in the place of `text`:
 * - Run:                              each line of the block, in the folder of the repository
 *
 * A block takes the indentation of the line that it is put below or above: in the recipe it may have another.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from './pages.ts';

export type RecipeStep =
  | { kind: 'create'; file: string; block: string }
  | { kind: 'below' | 'above' | 'replace'; file: string; text: string; block: string }
  | { kind: 'run'; block: string };

const INSTRUCTION =
  /^(?:Create `([^`]+)`|In `([^`]+)`, (below|above|in the place of) `([^`]+)`|(Run)):\n\n```\w*\n(.*?)^```$/gms;

/** Returns what a recipe says to do, in order. */
export function stepsOf({ text }: Pick<Page, 'text'>): RecipeStep[] {
  return [...text.matchAll(INSTRUCTION)].map(
    ([, created, changed = '', where, anchor = '', , block = '']): RecipeStep => {
      if (created !== undefined) return { kind: 'create', file: created, block };
      if (where === undefined) return { kind: 'run', block };
      const kind = where === 'in the place of' ? 'replace' : where === 'below' ? 'below' : 'above';
      return { kind, file: changed, text: anchor, block };
    },
  );
}

/** Makes a recipe's change of a file in a folder. Throws an Error where the file does not hold the text on one line. */
export async function edit(folder: string, step: Exclude<RecipeStep, { kind: 'run' }>): Promise<void> {
  const file = path.join(folder, step.file);
  if (step.kind === 'create') {
    await mkdir(path.dirname(file), { recursive: true });
    return await writeFile(file, step.block, { flag: 'wx' });
  }
  const lines = (await readFile(file, 'utf8')).split('\n');
  const found = lines.flatMap((line, index) => (line.includes(step.text) ? [index] : []));
  const [at] = found;
  if (at === undefined || found.length > 1)
    throw new Error(`${step.file} holds ${found.length} lines with: ${step.text}`);
  const line = lines[at] ?? '';
  const block = step.block.replace(/\n$/, '');
  if (step.kind === 'replace') lines[at] = line.replace(step.text, () => block);
  else lines.splice(step.kind === 'below' ? at + 1 : at, 0, indented(block, /^ */.exec(line)?.[0] ?? ''));
  await writeFile(file, lines.join('\n'));
}

function indented(block: string, indentation: string): string {
  const lines = block.split('\n');
  const least = Math.min(...lines.filter((line) => line !== '').map((line) => line.search(/[^ ]/)));
  return lines.map((line) => (line === '' ? '' : `${indentation}${line.slice(least)}`)).join('\n');
}
