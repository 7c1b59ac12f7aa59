/** What commands print: a person's text, or with `--json` one JSON document. */
export interface OutputOptions {
  json?: boolean;
}

/** Writes a result to standard output. */
export function print({ json }: OutputOptions, result: unknown, text: string): void {
  // In a JSON document such characters stand in strings only, where their escapes mean the same.
  const body = json === true ? JSON.stringify(result, null, 2) : text.replace(/\n+$/, '');
  process.stdout.write(`${plain(body)}\n`);
}

/** Writes a line about what is going on to standard error. */
export function report(line: string): void {
  process.stderr.write(`interlock: ${plain(line)}\n`);
}

/** Returns rows as aligned columns under a head. Each row is one line, whatever its cells hold. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => plain(oneLine(String(cell ?? '')))));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return lines.join('\n');
}

/**
 * Returns a text in which everything that a terminal or an eye may take for something else is written as the escape
 * `\uXXXX` of JSON: control, bidirectional and invisible characters, unusual spaces, and marks that pile up. Line
 * breaks and tabs stay. `print` and `report` do so with all that is printed: what an agent wrote stays text.
 */
export function plain(text: string): string {
  return text.replace(HIDDEN, escaped);
}

/** Returns a text as one line: what an agent wrote, a name of an argument too, makes no line of its own. */
export function oneLine(text: string): string {
  return text.replaceAll(LINE_BREAK, ' ');
}

/** Returns what an agent wrote as lines that no other line of a text looks like: in JSON's quotes, folded, behind a bar. */
export function quoted(value: unknown): string {
  const lines = plain(JSON.stringify(value, null, 2) ?? '').split('\n');
  return lines
    .flatMap(folded)
    .map((line) => `  │ ${line}`)
    .join('\n');
}

/** A terminal breaks no folded line, so nothing that an agent wrote begins at its left edge. */
const FOLDED_WIDTH = 72;
const HIDDEN =
  /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|(?<=\p{M}{3})\p{M}/gu;
const LINE_BREAK = /[\n\v\f\r\u0085\u2028\u2029]/g;

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** A wide character takes two columns, and is counted so. */
function folded(line: string): string[] {
  const pieces = [''];
  let width = 0;
  for (const character of line) {
    const columns = character > '\u10ff' ? 2 : 1;
    if (width + columns > FOLDED_WIDTH) {
      pieces.push('');
      width = 0;
    }
    pieces[pieces.length - 1] += character;
    width += columns;
  }
  return pieces;
}

/** Returns an instant as text, in UTC. */
export function instant(ms: number): string {
  return new Date(ms).toISOString();
}
