import { createTwoFilesPatch, FILE_HEADERS_ONLY, formatPatch } from 'diff';

/** Lines shown before and after a change. */
const CONTEXT = 3;
/** Time grows with the square of the lines that differ, to about a second here. */
const DIFFERING_LINES_MAX = 2_000;

/**
 * Returns the difference of two texts under a name, in the unified format of POSIX `diff -u`; empty when they are the
 * same. A text that is undefined is a file that does not exist. Texts that differ in too many lines are shown whole, one
 * after the other.
 */
export function unifiedDiff(name: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return '';
  const from = before === undefined ? '/dev/null' : `a/${name}`;
  const to = after === undefined ? '/dev/null' : `b/${name}`;
  const patch =
    createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, {
      context: CONTEXT,
      headerOptions: FILE_HEADERS_ONLY,
      maxEditLength: DIFFERING_LINES_MAX,
    }) ?? replacement(from, to, linesOf(before), linesOf(after));
  return patch.replace(/\n$/, '');
}

function replacement(from: string, to: string, before: readonly string[], after: readonly string[]): string {
  const lines = [...before.map((line) => `-${line}`), ...after.map((line) => `+${line}`)];
  const hunk = { oldStart: 1, oldLines: before.length, newStart: 1, newLines: after.length, lines };
  const names = { oldFileName: from, newFileName: to, oldHeader: undefined, newHeader: undefined };
  return formatPatch({ ...names, hunks: [hunk] }, FILE_HEADERS_ONLY);
}

function linesOf(text = ''): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
