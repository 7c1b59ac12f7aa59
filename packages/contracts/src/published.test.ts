import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { publishedSchemas } from './published.ts';

const folder = new URL('../schemas/', import.meta.url);
const schemas = publishedSchemas();

describe('[P-published-schemas] the published schemas', () => {
  test('have one file for each schema that Interlock checks, and no others', async () => {
    const files = await readdir(folder, { recursive: true });
    const published = files.filter((path) => path.endsWith('.json'));
    expect(published.sort()).toEqual(Object.keys(schemas).sort());
  });

  test.each(Object.entries(schemas))('%s is current', async (path, schema) => {
    const published: unknown = JSON.parse(await readFile(new URL(path, folder), 'utf8'));
    expect(
      published,
      'write them: node packages/contracts/src/write-schemas.ts, then npm run format',
    ).toEqual(JSON.parse(JSON.stringify(schema)));
  });
});
