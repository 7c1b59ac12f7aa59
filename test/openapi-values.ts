/** What a client needs to know of an OpenAPI 3.1 document, and values that its schemas take. */
import fc, { type Arbitrary } from 'fast-check';
import { z } from 'zod';

/** Deep enough to show what nesting does, shallow enough to be drawn quickly. */
const VALUE_DEPTH = 4;

/** The keywords the document uses. */
const schemaSchema = z.looseObject({
  $ref: z.string().optional(),
  type: z.string().optional(),
  enum: z.array(z.json()).optional(),
  anyOf: z.array(z.unknown()).optional(),
  pattern: z.string().optional(),
  maxLength: z.int().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
});
const contentSchema = z.record(z.string(), z.object({ schema: z.unknown() }));
export const operationSchema = z.looseObject({
  operationId: z.string(),
  parameters: z
    .array(z.looseObject({ name: z.string(), in: z.enum(['path', 'query', 'header']), schema: z.unknown() }))
    .default([]),
  requestBody: z.object({ required: z.boolean(), content: contentSchema }).optional(),
  responses: z.record(z.string(), z.looseObject({ content: contentSchema })),
});
/** What the client needs of a document. */
export const documentSchema = z.looseObject({
  openapi: z.string().startsWith('3.1.'),
  paths: z.record(z.string(), z.record(z.enum(['get', 'post']), operationSchema.optional())),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});
export type OpenApi = z.infer<typeof documentSchema>;

/** Returns values that a schema of the document takes. */
export function valueFor(schema: unknown, document: OpenApi, depth = 0): Arbitrary<unknown> {
  const { $ref, type, anyOf, ...rest } = schemaSchema.parse(schema);
  if ($ref !== undefined) return valueFor(pointedAt(document, $ref), document, depth);
  if (rest.enum !== undefined) return fc.constantFrom(...rest.enum);
  if (anyOf !== undefined) {
    const choices = depth < VALUE_DEPTH ? anyOf : anyOf.slice(0, 1);
    return fc.oneof(...choices.map((choice) => valueFor(choice, document, depth + 1)));
  }
  switch (type) {
    case 'string':
      if (rest.pattern !== undefined) return fc.stringMatching(new RegExp(rest.pattern));
      return fc.string({ maxLength: Math.min(40, rest.maxLength ?? 40), unit: 'grapheme' });
    case 'integer':
      return fc.integer({ min: rest.minimum ?? -1_000, max: rest.maximum ?? 1_000 });
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(valueFor(rest.items, document, depth + 1), { maxLength: 3 });
    case 'object':
      return objectOf(rest, document, depth);
    case undefined:
      // A schema that says nothing takes anything.
      return fc.jsonValue({ maxDepth: 1 });
    default:
      throw new TypeError(`The client does not know how to draw ${JSON.stringify(schema)}.`);
  }
}

function objectOf(
  schema: z.infer<typeof schemaSchema>,
  document: OpenApi,
  depth: number,
): Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties = false } = schema;
  const named = Object.entries(properties).map(
    ([name, property]) => [name, valueFor(property, document, depth + 1)] as const,
  );
  const known = fc.record(Object.fromEntries(named), { requiredKeys: required });
  if (additionalProperties === false) return known;
  const others = valueFor(additionalProperties, document, depth + 1);
  return fc
    .tuple(known, fc.dictionary(fc.string({ maxLength: 8 }), others, { maxKeys: 3 }))
    .map(([own, more]) => ({ ...more, ...own }));
}

function pointedAt(document: OpenApi, ref: string): unknown {
  return document.components.schemas[ref.replace('#/components/schemas/', '')];
}
