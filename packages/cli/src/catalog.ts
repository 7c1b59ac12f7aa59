/** The catalogue: definitions of well-known APIs in `examples/catalog`, and their copies in a configuration. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { httpToolFileSchema, idSchema } from '@interlock/contracts';
import { exists } from '@interlock/policy';
import { Failure } from '@interlock/shell';
import { configurationMissing } from './load-configuration.ts';
import { pointingAtSchemas } from './schema-line.ts';
import { readYaml } from './yaml-file.ts';

const CATALOG = fileURLToPath(new URL('../../../examples/catalog', import.meta.url));
const ENDING = '.yaml';
const NAME_LINE = /^name: .*$/m;

/** One definition of the catalogue. */
export interface CatalogTool {
  vendor: string;
  operation: string;
  name: string;
  description: string;
  labels: readonly string[];
  credentials: readonly string[];
}

/** What was copied, and what is needed before the tools can be called. */
export interface AddedTools {
  vendor: string;
  files: string[];
  tools: string[];
  credentials: string[];
}

/** Returns every definition of the catalogue, or those of one vendor. Throws `catalog_unknown`. */
export async function readCatalog(vendor?: string): Promise<CatalogTool[]> {
  const folders = (await readdir(CATALOG, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const vendors = folders.map(({ name }) => name).sort();
  if (vendor !== undefined && !vendors.includes(vendor))
    throw new Failure('catalog_unknown', `The catalogue has nothing of ${vendor}.`, {
      next: `It has ${vendors.join(', ')}.`,
    });
  const wanted = vendor === undefined ? vendors : [vendor];
  return (await Promise.all(wanted.map(toolsOf))).flat();
}

/**
 * Copies definitions of a vendor into the tools of a configuration: all, or those named by `only`. Nothing is copied when
 * one of them is there already. Throws `catalog_unknown`, `configuration_missing`, `name_too_long` or `tool_present`.
 */
export async function addFromCatalog(
  config: string,
  { vendor, only, prefix }: { vendor: string; only: readonly string[]; prefix: string },
): Promise<AddedTools> {
  const chosen = chosenOf(await readCatalog(vendor), { vendor, only });
  if (!(await exists(path.join(config, 'people.yaml')))) throw configurationMissing(config);
  const folder = path.join(config, 'tools');
  const copies = chosen.map((tool) => {
    const name = `${prefix}${tool.name}`;
    return { ...tool, name, file: path.join(folder, `${name}${ENDING}`) };
  });
  for (const { name, file } of copies) {
    // A prefix has the characters of a name, so only the length can be wrong.
    if (!idSchema.safeParse(name).success)
      throw new Failure('name_too_long', `A tool has at most 64 characters: ${name}.`, {
        next: 'Choose a shorter --prefix. Nothing was copied.',
      });
    if (await exists(file))
      throw new Failure('tool_present', `${file} is there already.`, {
        next: 'Remove it, copy others with --only, or give other names with --prefix. Nothing was copied.',
      });
  }
  await mkdir(folder, { recursive: true });
  for (const { operation, name, file } of copies) {
    const text = await readFile(path.join(CATALOG, vendor, `${operation}${ENDING}`), 'utf8');
    await writeFile(file, pointingAtSchemas(text.replace(NAME_LINE, `name: ${name}`), file), { flag: 'wx' });
  }
  return {
    vendor,
    files: copies.map(({ file }) => file),
    tools: copies.map(({ name }) => name),
    credentials: [...new Set(copies.flatMap(({ credentials }) => credentials))],
  };
}

function chosenOf(
  tools: readonly CatalogTool[],
  { vendor, only }: { vendor: string; only: readonly string[] },
): readonly CatalogTool[] {
  const isNamed = ({ operation, name }: CatalogTool, wanted: string) =>
    operation === wanted || name === wanted;
  const missing = only.filter((wanted) => !tools.some((tool) => isNamed(tool, wanted)));
  if (missing.length > 0)
    throw new Failure('catalog_unknown', `The catalogue has no ${missing.join(', ')} of ${vendor}.`, {
      next: `It has ${tools.map(({ operation }) => operation).join(', ')}.`,
    });
  return only.length === 0 ? tools : tools.filter((tool) => only.some((wanted) => isNamed(tool, wanted)));
}

async function toolsOf(vendor: string): Promise<CatalogTool[]> {
  const folder = path.join(CATALOG, vendor);
  const files = (await readdir(folder)).filter((name) => name.endsWith(ENDING)).sort();
  return await Promise.all(
    files.map(async (file) => {
      const read = await readYaml(path.join(folder, file), `${vendor}/${file}`, () => httpToolFileSchema);
      if (read.value === undefined) throw new TypeError(`The catalogue has a mistake in ${vendor}/${file}.`);
      const { name, description, labels, credential } = read.value;
      return {
        ...{ vendor, operation: file.slice(0, -ENDING.length), name, description, labels },
        credentials: [...new Set(credential.map((use) => use.name))],
      };
    }),
  );
}
