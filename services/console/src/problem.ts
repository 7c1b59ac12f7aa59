import { Fault, type FaultCode, faults, pointerOf } from '@interlock/contracts';
import { z } from 'zod';

/** A whole number in a query. */
export const wholeNumberSchema = z
  .string()
  .regex(/^[0-9]{1,15}$/, 'must be a whole number')
  .transform(Number);

/** The fault for each error code of the HTTP framework. */
const frameworkCodes: Readonly<Record<string, FaultCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content_type_unsupported',
  FST_ERR_CTP_INVALID_JSON_BODY: 'body_malformed',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'body_malformed',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'header_invalid',
};

/** Returns what was thrown as a fault. An unexpected error is `internal`, and its message is not answered. */
export function faultOf(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') {
    const code = frameworkCodes[thrown.code];
    if (code !== undefined) return new Fault(code, { cause: thrown });
  }
  if (thrown instanceof SyntaxError && 'statusCode' in thrown)
    return new Fault('body_malformed', { cause: thrown });
  return new Fault('internal', { cause: thrown });
}

/** Parses input. Throws a fault with the JSON Pointer of the first error. */
export function parseInput<S extends z.ZodType>(
  schema: S,
  input: unknown,
  code: 'body_invalid' | 'query_invalid' | 'id_invalid' = 'body_invalid',
): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Fault(code, {
    detail: issue?.message ?? faults[code].text,
    pointer: pointerOf(issue?.path ?? []),
  });
}
