/** Checks and tables, of which every report is made. */

export interface Check {
  name: string;
  value: number;
  /** At least or at most this, as `name` says. */
  target: number;
  unit: string;
  met: boolean;
}

/** Lines up rows of text; the first names the columns. */
export function table(rows: string[][]): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A quotient with two digits; 0 where there is nothing to divide by. */
export function ratio(value: number, base: number): number {
  return base === 0 ? 0 : Math.round((value / base) * 100) / 100;
}

/** A check that a value is at least its target. */
export function atLeast(name: string, value: number, target: number, unit: string): Check {
  return { name, value, target, unit, met: value >= target };
}

/** A check that a value is there and at most its target. */
export function atMost(name: string, value: number, target: number, unit: string): Check {
  return { name, value, target, unit, met: value > 0 && value <= target };
}
