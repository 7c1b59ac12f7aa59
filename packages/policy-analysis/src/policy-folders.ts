/** The folders that make up a policy, base first, and the rules in them. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DATA_FILES, exists, namesIn } from '@interlock/policy';
import { Failure } from '@interlock/shell';

/** The rules that come with Interlock; a configuration adds data and rules of its own. */
export const BASE_POLICIES = fileURLToPath(new URL('../../../policies', import.meta.url));
const POLICY_ENTRIES: readonly string[] = ['main', 'rules', ...DATA_FILES];
/** A policy may have as many files. */
const RULES_MAX = 5_000;

/** One rule: a folder with its Rego, its tests and its cases. */
export interface RuleFolder {
  name: string;
  folder: string;
  /** Index of its policy folder. */
  folderIndex: number;
}

/**
 * Returns the folders of a policy: the rules that come with Interlock, then the user's own. `dir` is a folder of
 * policies or a configuration with such a folder; by default the one in `config`, if there is one.
 * Throws `policies_missing` when `dir` has neither rules nor data.
 */
export async function policyFolders(dir: string | undefined, config: string): Promise<string[]> {
  const own = dir === undefined ? await policiesOfConfiguration(config) : await policiesIn(path.resolve(dir));
  if (own === undefined || (await isSame(own, BASE_POLICIES))) return [BASE_POLICIES];
  return [BASE_POLICIES, own];
}

/** Returns the user's own folder of policies, in which new rules are made. It need not exist yet. */
export async function ownFolder(dir: string | undefined, config: string): Promise<string> {
  if (dir === undefined) return path.join(config, 'policies');
  const folder = path.resolve(dir);
  return (await exists(path.join(folder, 'people.yaml'))) ? path.join(folder, 'policies') : folder;
}

/** Returns the rules of policy folders, in the order of the folders and of their names. */
export async function rulesOf(folders: readonly string[]): Promise<RuleFolder[]> {
  const found: RuleFolder[] = [];
  for (const [folderIndex, folder] of folders.entries()) {
    for (const name of await namesIn(path.join(folder, 'rules')))
      found.push({ name, folder: path.join(folder, 'rules', name), folderIndex });
  }
  if (found.length > RULES_MAX)
    throw new Failure('configuration_invalid', `There are more than ${RULES_MAX} rules.`);
  return found;
}

/** Returns a file's path for people: relative to the working directory if it is inside. */
export function displayPath(file: string): string {
  const here = path.relative('', file);
  return here.startsWith('..') ? file : here;
}

async function policiesIn(dir: string): Promise<string> {
  const inside = (await exists(path.join(dir, 'people.yaml')))
    ? await policiesOfConfiguration(dir)
    : undefined;
  const folder = inside ?? dir;
  const names = await namesIn(folder);
  if (names.some((name) => POLICY_ENTRIES.includes(name))) return folder;
  throw new Failure(
    'policies_missing',
    `${dir} is not a folder of policies: it has neither rules/ nor data.yaml.`,
    {
      next: 'Name a folder of policies, such as my-interlock/policies, or make a rule with interlock policy new.',
    },
  );
}

async function policiesOfConfiguration(config: string): Promise<string | undefined> {
  const folder = path.join(config, 'policies');
  return (await exists(folder)) ? folder : undefined;
}

async function isSame(one: string, other: string): Promise<boolean> {
  return (await realpath(one)) === (await realpath(other));
}
