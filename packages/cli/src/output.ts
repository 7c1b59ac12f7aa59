/** What commands print: a person's text, or with `--json` one JSON document. */
export interface OutputOptions {
  json?: boolean;
}

/** Writes a result to standard output. */
export function print({ json }: OutputOptions, result: unknown, text: string): void {
  const body = json === true ? JSON.stringify(result, null, 2) : text.replace(/\n+$/, '');
  process.stdout.write(`${body}\n`);
}

/** Writes a line about what is going on to standard error. */
export function report(line: string): void {
  process.stderr.write(`interlock: ${line}\n`);
}

/** Returns rows as aligned columns under a head. Text from outside is cleaned of control characters. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => plain(String(cell ?? ''))));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return lines.join('\n');
}

/** Returns a text that a terminal cannot take for a command: what an agent or an upstream wrote stays text. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** Returns a text as one line: what an agent wrote, a name of an argument too, makes no line of its own. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\n\v\f\r\u0085\u2028\u2029]/g, ' ');
}

/** Returns an instant as text, in UTC. */
export function instant(ms: number): string {
  return new Date(ms).toISOString();
}
