/** Writes the published JSON Schemas of the configuration files into `packages/contracts/schemas/`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { configurationJsonSchemas } from './configuration.ts';

const FOLDER = new URL('../schemas/', import.meta.url);

await mkdir(FOLDER, { recursive: true });
for (const [name, schema] of Object.entries(configurationJsonSchemas())) {
  await writeFile(new URL(`${name}.schema.json`, FOLDER), `${JSON.stringify(schema, null, 2)}\n`);
}
