import { Fault, type Json } from '@interlock/contracts';
import { z } from 'zod';

/** What `JSON.parse` returns is JSON. A schema that copied the object would drop a member named `__proto__`. */
const argumentsSchema = z.custom<Readonly<Record<string, Json>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** Returns the arguments of a call from their canonical JSON, every member of them. Throws `statement_invalid`. */
export function readArguments(text: string): Readonly<Record<string, Json>> {
  try {
    return argumentsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault('statement_invalid', { detail: 'The arguments are not a JSON object.', cause });
  }
}
