/** What is wrong with the configuration around a folder of policies, for commands that change nothing. */
import path from 'node:path';
import { exists } from '@interlock/policy';
import { ConfigurationFailure, issueText, loadConfiguration } from './load-configuration.ts';

export interface ConfigurationMistakes {
  refused: string[];
  warnings: string[];
}

/** Returns the mistakes of the configuration that a folder is, or is the `policies` of. Without one there are none. */
export async function configurationAround(
  dir: string | undefined,
  config: string,
): Promise<ConfigurationMistakes> {
  const own = dir === undefined ? config : path.resolve(dir);
  const candidates = path.basename(own) === 'policies' ? [own, path.dirname(own)] : [own];
  for (const folder of candidates)
    if (await exists(path.join(folder, 'people.yaml'))) return await mistakesOf(folder);
  return { refused: [], warnings: [] };
}

async function mistakesOf(folder: string): Promise<ConfigurationMistakes> {
  try {
    const { warnings } = await loadConfiguration(folder);
    return { refused: [], warnings: warnings.map(issueText) };
  } catch (error) {
    if (error instanceof ConfigurationFailure) return { refused: error.issues.map(issueText), warnings: [] };
    throw error;
  }
}
