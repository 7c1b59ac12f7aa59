/** Which files of a policy folder hold cases. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '@interlock/contracts';
import { exists, namesIn } from './files.ts';

const FILES_MAX = 1_000;
const YAML = /\.ya?ml$/;
/** Files of these names hold data, wherever a rule or a person puts one. */
const DATA = /^data\.ya?ml$/;

/**
 * Returns the case files of a policy folder, whatever their names are: YAML in the folder of a rule, in `main/` about
 * several rules together, and in `cases/` and the folders below it.
 */
export async function caseFiles(folder: string): Promise<string[]> {
  const rules = path.join(folder, 'rules');
  const files: string[] = [];
  for (const name of await namesIn(rules)) files.push(...(await casesIn(path.join(rules, name))));
  files.push(...(await casesIn(path.join(folder, 'main'))));
  files.push(...(await casesBelow(path.join(folder, 'cases'))));
  if (files.length > FILES_MAX)
    throw new Fault('configuration_invalid', {
      detail: `${folder}: there are more than ${FILES_MAX} case files`,
    });
  return files;
}

/** Returns the YAML files of a policy folder that hold neither its data nor cases: nothing in them is read. */
export async function ignoredFiles(folder: string): Promise<string[]> {
  const read = new Set([path.join(folder, 'data.yaml'), ...(await caseFiles(folder))]);
  const names = (await exists(folder)) ? await readdir(folder, { recursive: true }) : [];
  return names
    .filter((name) => YAML.test(name))
    .map((name) => path.join(folder, name))
    .filter((file) => !read.has(file))
    .sort();
}

async function casesIn(folder: string): Promise<string[]> {
  if (!(await exists(folder)) || !(await stat(folder)).isDirectory()) return [];
  return (await namesIn(folder)).filter(isCaseFile).map((name) => path.join(folder, name));
}

async function casesBelow(folder: string): Promise<string[]> {
  const names = (await exists(folder)) ? await readdir(folder, { recursive: true }) : [];
  return names
    .filter(
      (name) => !name.split(path.sep).some((part) => part.startsWith('.')) && isCaseFile(path.basename(name)),
    )
    .map((name) => path.join(folder, name))
    .sort();
}

function isCaseFile(name: string): boolean {
  return YAML.test(name) && !DATA.test(name);
}
