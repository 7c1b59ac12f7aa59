import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { usage } from './exit-codes.ts';

const argumentsSchema = z.record(z.string(), z.json());

/** Reads the arguments of a call: a JSON object, or `-` for standard input. Throws `usage`. */
export async function readArguments(json: string): Promise<z.infer<typeof argumentsSchema>> {
  try {
    return argumentsSchema.parse(JSON.parse(json === '-' ? await text(process.stdin) : json));
  } catch (cause) {
    throw usage('The arguments must be a JSON object.', cause);
  }
}
