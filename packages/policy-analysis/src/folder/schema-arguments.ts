/** What the schema of a tool says about an argument. */
import { isRecord } from './records.ts';

/** A schema with one of these says more about members than its `properties` do. */
const FURTHER = [
  '$ref',
  '$dynamicRef',
  'allOf',
  'anyOf',
  'oneOf',
  'if',
  'patternProperties',
  'dependentSchemas',
];

/** Returns true where a schema surely has no argument at a JSON Pointer: nobody could send it knowingly. */
export function lacksArgument(schema: unknown, pointer: string): boolean {
  let node = schema;
  for (const token of pointer.split('/').slice(1)) {
    if (!isRecord(node) || FURTHER.some((keyword) => Object.hasOwn(node as object, keyword))) return false;
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const { properties, additionalProperties } = node;
    if (isRecord(properties) && Object.hasOwn(properties, name)) node = properties[name];
    else if (isRecord(additionalProperties)) node = additionalProperties;
    else return additionalProperties === false || (isRecord(properties) && additionalProperties !== true);
  }
  return false;
}

/** Returns the names of the arguments that a schema lists. */
export function argumentsOf(schema: unknown): string[] {
  return isRecord(schema) && isRecord(schema['properties']) ? Object.keys(schema['properties']) : [];
}
