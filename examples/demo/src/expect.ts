/** What the demo checks; a step that finds something else ends the demo. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

const SHOWN_LENGTH = 300;

/** Something that is not as it should be, in words for the person who runs the demo. */
export class Unexpected extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(what, options);
    this.name = 'Unexpected';
  }
}

/** Throws `Unexpected` unless both are deeply equal. */
export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Unexpected(`${what}: expected ${shown(expected)}, found ${shown(actual)}`);
}

/** Throws `Unexpected` with `otherwise` unless the condition holds. */
export function check(condition: boolean, otherwise: string): void {
  if (!condition) throw new Unexpected(otherwise);
}

/** Returns a value parsed by a schema. Throws `Unexpected` when it does not match. */
export function parsed<S extends z.ZodType>(what: string, schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Unexpected(`${what} is not what was expected: ${shown(value)}. ${z.prettifyError(result.error)}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_LENGTH);
}
