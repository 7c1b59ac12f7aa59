import path from 'node:path';
import { type Environment, processEnvironment } from '@interlock/shell';

/** Options every command takes. */
export interface FolderOptions {
  config?: string;
  data?: string;
}

/** The folders a command works with, as absolute paths. */
export interface Folders {
  config: string;
  data: string;
}

/** Returns the folders: an option, else INTERLOCK_CONFIG and INTERLOCK_DATA, else the current folder and `.interlock` in it. */
export function foldersOf(options: FolderOptions, env: Environment = processEnvironment()): Folders {
  const { INTERLOCK_CONFIG = '.', INTERLOCK_DATA } = env;
  const config = path.resolve(options.config ?? INTERLOCK_CONFIG);
  const data = path.resolve(options.data ?? INTERLOCK_DATA ?? path.join(config, '.interlock'));
  return { config, data };
}
