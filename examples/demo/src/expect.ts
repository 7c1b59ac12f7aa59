/** What the demo holds to be true; a step that finds otherwise ends the demo. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

const SHOWN_LENGTH = 300;

/** A promise that was not kept, in words for whoever runs the demo. */
export class Broken extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(what, options);
    this.name = 'Broken';
  }
}

/** Throws `Broken` unless both are the same, deeply. */
export function same(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Broken(`${what}: expected ${shown(expected)}, found ${shown(actual)}`);
}

/** Throws `Broken` unless the condition holds; `otherwise` says what is wrong then. */
export function holds(condition: boolean, otherwise: string): void {
  if (!condition) throw new Broken(otherwise);
}

/** Returns what a schema makes of a value. Throws `Broken` where it is something else. */
export function shaped<S extends z.ZodType>(what: string, schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Broken(`${what} is not what was expected: ${shown(value)}. ${z.prettifyError(parsed.error)}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_LENGTH);
}
