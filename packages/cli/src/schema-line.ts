/** The line of a file of a configuration that names its JSON Schema for editors. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SCHEMAS = fileURLToPath(new URL('../../contracts/schemas', import.meta.url));
const SCHEMA_LINE = /^\$schema: .*\/(?=[^/\n]+$)/m;

/** Returns the text of a copied file with the path to its schema from where the copy is. */
export function pointingAtSchemas(text: string, file: string): string {
  const schemas = path.relative(path.dirname(path.resolve(file)), SCHEMAS);
  return text.replace(SCHEMA_LINE, () => `$schema: ${schemas.split(path.sep).join('/')}/`);
}
