/** Writes the published JSON Schemas into `packages/contracts/schemas/`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { publishedSchemas } from './published.ts';

const FOLDER = new URL('../schemas/', import.meta.url);

for (const [path, schema] of Object.entries(publishedSchemas())) {
  const file = new URL(path, FOLDER);
  await mkdir(new URL('.', file), { recursive: true });
  await writeFile(file, `${JSON.stringify(schema, null, 2)}\n`);
}
