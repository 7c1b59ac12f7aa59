/** Which folders make up a policy, base first, and the files in them. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exists, namesIn } from '@interlock/policy';
import { Failure } from '@interlock/shell';

/** The rules that come with Interlock; a configuration adds data and rules of its own. */
export const BASE_POLICIES = fileURLToPath(new URL('../../../policies', import.meta.url));
const PARTS: readonly string[] = ['main', 'rules', 'data.yaml', 'data.json'];
/** As many as a policy may have files. */
const RULES_MAX = 5_000;

/** One rule: a folder with its Rego, its tests and its cases. */
export interface RuleFolder {
  name: string;
  folder: string;
  /** Position among the policy folders. */
  owner: number;
}

/**
 * Returns the folders of a policy: the rules that come with Interlock, then the user's own. `dir` is a folder of
 * policies or a configuration that has one; left out, it is the one in `config`, if there is one.
 * Throws `policies_missing` where nothing in `dir` is a policy.
 */
export async function policyFolders(dir: string | undefined, config: string): Promise<string[]> {
  const own = dir === undefined ? await policiesOf(config) : await named(path.resolve(dir));
  if (own === undefined || (await isSame(own, BASE_POLICIES))) return [BASE_POLICIES];
  return [BASE_POLICIES, own];
}

/** Returns the user's own folder of policies, where a new rule goes, even before there is one. */
export async function ownFolder(dir: string | undefined, config: string): Promise<string> {
  if (dir === undefined) return path.join(config, 'policies');
  const folder = path.resolve(dir);
  return (await exists(path.join(folder, 'people.yaml'))) ? path.join(folder, 'policies') : folder;
}

/** Returns the rules of policy folders, in the folders' order and by name. */
export async function rulesOf(folders: readonly string[]): Promise<RuleFolder[]> {
  const found: RuleFolder[] = [];
  for (const [owner, folder] of folders.entries()) {
    for (const name of await namesIn(path.join(folder, 'rules')))
      found.push({ name, folder: path.join(folder, 'rules', name), owner });
  }
  if (found.length > RULES_MAX)
    throw new Failure('configuration_invalid', `There are more than ${RULES_MAX} rules.`);
  return found;
}

/** Returns a file as a person standing here would name it. */
export function shown(file: string): string {
  const here = path.relative('', file);
  return here.startsWith('..') ? file : here;
}

async function named(dir: string): Promise<string> {
  const inside = (await exists(path.join(dir, 'people.yaml'))) ? await policiesOf(dir) : undefined;
  const folder = inside ?? dir;
  const names = await namesIn(folder);
  if (names.some((name) => PARTS.includes(name))) return folder;
  throw new Failure('policies_missing', `${dir} holds no policies: neither rules/ nor data.yaml.`, {
    next: 'Name a folder of policies, such as my-interlock/policies, or make a rule with interlock policy new.',
  });
}

async function policiesOf(config: string): Promise<string | undefined> {
  const folder = path.join(config, 'policies');
  return (await exists(folder)) ? folder : undefined;
}

async function isSame(one: string, other: string): Promise<boolean> {
  return (await realpath(one)) === (await realpath(other));
}
