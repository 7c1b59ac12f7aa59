/**
 * Where the test stands that would fail if the promise were false.
 * - `unit`: beside the code, with the real servers that the code speaks to.
 * - `line`: in `test/`, against the whole installation or the whole repository.
 * - `fault`: in `test/faults/`, or in a test that kills, stops or pauses real processes.
 */
export type Layer = 'unit' | 'line' | 'fault';

export interface Requirement {
  /** The promise, so that a user can read it. */
  text: string;
  /** Where it comes from: a section of the architecture, a standard, or the README of a package, service or folder. */
  source: string;
  layer: Layer;
}
