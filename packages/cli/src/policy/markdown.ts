/** Markdown for pull requests. What an agent or an author wrote stays text: it makes no cell, link or line of its own. */
import { oneLine, plain } from '../output.ts';

/** Returns a table. */
export function markdownTable(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map(() => '---')),
    ...rows.map((row) => line(row.map((cell) => markdownText(String(cell))))),
  ].join('\n');
}

/** Returns a text in which nothing is Markdown or HTML. */
export function markdownText(text: string): string {
  return plain(oneLine(text)).replace(/[\\`*_{}[\]()#+!|<>~&@:]/g, '\\$&');
}
