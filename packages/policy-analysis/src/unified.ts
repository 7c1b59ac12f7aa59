/** Differences of texts, line by line, in the unified format of POSIX `diff -u`. */

/** Lines shown before and after a change. */
const CONTEXT = 3;
/** Work is the product of both texts' changed parts: above this a change is shown as a whole replaced by a whole. */
const CELLS_MAX = 4_000_000;

interface Edit {
  sign: ' ' | '-' | '+';
  line: string;
}

/** Returns the unified difference of two texts under a name; empty where they are the same. */
export function unified(name: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return '';
  const edits = editsOf(linesOf(before), linesOf(after));
  const from = before === undefined ? '/dev/null' : `a/${name}`;
  const to = after === undefined ? '/dev/null' : `b/${name}`;
  return [`--- ${from}`, `+++ ${to}`, ...hunksOf(edits)].join('\n');
}

function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  return text.replace(/\n$/, '').split('\n');
}

/** What both begin and end with is left out before the longest common subsequence is looked for. */
function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start += 1;
  let end = 0;
  while (
    end < Math.min(before.length, after.length) - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  )
    end += 1;
  const kept = (lines: readonly string[]): Edit[] => lines.map((line) => ({ sign: ' ', line }));
  return [
    ...kept(before.slice(0, start)),
    ...changed(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...kept(before.slice(before.length - end)),
  ];
}

function changed(before: readonly string[], after: readonly string[]): Edit[] {
  const gone = (line: string): Edit => ({ sign: '-', line });
  const come = (line: string): Edit => ({ sign: '+', line });
  if (before.length * after.length > CELLS_MAX) return [...before.map(gone), ...after.map(come)];
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  const at = (row: number, column: number) => common[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row -= 1) {
    for (let column = after.length - 1; column >= 0; column -= 1) {
      common[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const edits: Edit[] = [];
  let [row, column] = [0, 0];
  for (;;) {
    const [old, fresh] = [before[row], after[column]];
    if (old === undefined && fresh === undefined) return edits;
    if (old !== undefined && old === fresh) {
      edits.push({ sign: ' ', line: old });
      row += 1;
      column += 1;
    } else if (old !== undefined && (fresh === undefined || at(row + 1, column) >= at(row, column + 1))) {
      edits.push(gone(old));
      row += 1;
    } else if (fresh !== undefined) {
      edits.push(come(fresh));
      column += 1;
    }
  }
}

/** Groups edits with their context; each hunk says where it stands in both texts. */
function hunksOf(edits: readonly Edit[]): string[] {
  const near = edits.map((_, index) =>
    edits.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ sign }) => sign !== ' '),
  );
  const lines: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (let index = 0; index < edits.length; ) {
    if (near[index] !== true) {
      oldLine += 1;
      newLine += 1;
      index += 1;
      continue;
    }
    let end = index;
    while (end < edits.length && near[end] === true) end += 1;
    const hunk = edits.slice(index, end);
    const olds = hunk.filter(({ sign }) => sign !== '+').length;
    const news = hunk.filter(({ sign }) => sign !== '-').length;
    lines.push(`@@ -${placeOf(oldLine, olds)} +${placeOf(newLine, news)} @@`);
    lines.push(...hunk.map(({ sign, line }) => `${sign}${line}`));
    oldLine += olds;
    newLine += news;
    index = end;
  }
  return lines;
}

function placeOf(line: number, count: number): string {
  return `${count === 0 ? line - 1 : line},${count}`;
}
