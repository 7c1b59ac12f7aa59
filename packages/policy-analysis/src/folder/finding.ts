import { nearestName } from './nearest-name.ts';

/** A mistake of a configuration folder. `refused`: what was meant to hold would not. Otherwise it can only refuse calls. */
export interface Finding {
  file: string;
  /** Where in the file. */
  path: readonly PropertyKey[];
  /** The path names a member, and the mistake is its name. */
  isKey: boolean;
  refused: boolean;
  text: string;
  /** In a file that is not YAML, where a path says nothing. */
  at?: { line: number; column: number };
}

/** Returns the question that follows an unknown name, or nothing. */
export function meantText(name: string, known: Iterable<string>): string {
  const near = nearestName(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
