/** The configuration around a folder of policies, and what is wrong with it, for commands that change nothing. */
import path from 'node:path';
import { exists } from '@interlock/policy';
import { type KnownConfiguration, NOTHING_KNOWN, toolsOf } from '@interlock/policy-analysis';
import { ConfigurationFailure, issueText, loadConfiguration } from './load-configuration.ts';

export interface ConfigurationMistakes {
  refused: string[];
  warnings: string[];
}

export interface ConfigurationAround {
  mistakes: ConfigurationMistakes;
  /** Its tools and agents; none where there is no configuration, or a mistake in it. */
  known: KnownConfiguration;
}

/** Reads the configuration that a folder is, or is the `policies` of. Without one nothing is wrong, and nothing known. */
export async function configurationAround(
  dir: string | undefined,
  config: string,
): Promise<ConfigurationAround> {
  const folder = await folderAround(dir, config);
  if (folder !== undefined) return await readAround(folder);
  return { mistakes: { refused: [], warnings: [] }, known: NOTHING_KNOWN };
}

/** Returns the configuration folder that a folder is, or is the `policies` of. */
export async function folderAround(dir: string | undefined, config: string): Promise<string | undefined> {
  const own = dir === undefined ? config : path.resolve(dir);
  const candidates = path.basename(own) === 'policies' ? [own, path.dirname(own)] : [own];
  for (const folder of candidates) if (await exists(path.join(folder, 'people.yaml'))) return folder;
  return undefined;
}

async function readAround(folder: string): Promise<ConfigurationAround> {
  try {
    const { warnings, tools, agents } = await loadConfiguration(folder);
    return {
      mistakes: { refused: [], warnings: warnings.map(issueText) },
      known: { tools: tools.flatMap(toolsOf), agents },
    };
  } catch (error) {
    if (!(error instanceof ConfigurationFailure)) throw error;
    return { mistakes: { refused: error.issues.map(issueText), warnings: [] }, known: NOTHING_KNOWN };
  }
}
