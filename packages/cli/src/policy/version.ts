import { InvalidArgumentError } from 'commander';

const VERSION = /^v?([1-9][0-9]{0,9})$/;

/** Parses a version: `7` or `v7`. */
export function versionNumber(text: string): number {
  const version = versionIn(text);
  if (version !== undefined) return version;
  throw new InvalidArgumentError('Write a version, such as 7.');
}

/** Returns the version a text names; undefined when it names none. */
export function versionIn(text: string): number | undefined {
  const [, digits] = VERSION.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
