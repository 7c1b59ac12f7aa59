/** How much of each rule its tests reach, computed from the coverage of its files. */
import path from 'node:path';
import { displayPath, type RuleFolder } from './policy-folders.ts';
import type { FileCoverage } from './rego-tests.ts';

/** How much of one rule tests reach, and the lines they do not. */
export interface RuleCoverage {
  rule: string;
  percent: number;
  /** `rules/x/x.rego:12`, and `rules/x/x.rego:12-14` for neighbours. */
  missed: string[];
}

/** Returns the coverage of each rule. A rule without a line to reach counts as reached. */
export function coverageOf(rules: readonly RuleFolder[], files: readonly FileCoverage[]): RuleCoverage[] {
  return rules.map(({ name, folder }) => {
    const own = files.filter(({ file }) => path.dirname(file) === displayPath(folder));
    const missed = own.flatMap(({ file, missed: lines }) => ranges(lines).map((range) => `${file}:${range}`));
    return { rule: name, percent: percentOf(own), missed };
  });
}

/** Returns the share of lines reached in all files, in per cent, rounded down to a tenth. */
export function percentOf(files: readonly FileCoverage[]): number {
  const lines = files.reduce((sum, file) => sum + file.lines, 0);
  const missed = files.reduce((sum, file) => sum + file.missed.length, 0);
  return lines === 0 ? 100 : Math.floor(((lines - missed) / lines) * 1_000) / 10;
}

/** Writes ascending lines as ranges. */
function ranges(lines: readonly number[]): string[] {
  const found: { first: number; last: number }[] = [];
  for (const line of lines) {
    const open = found.at(-1);
    if (open !== undefined && line === open.last + 1) open.last = line;
    else found.push({ first: line, last: line });
  }
  return found.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
}
