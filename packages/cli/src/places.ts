import { homedir } from 'node:os';
import path from 'node:path';
import { type Environment, processEnvironment } from '@interlock/shell';

/** Options every command takes. */
export interface PlaceOptions {
  config?: string;
  data?: string;
}

/** The folders a command works with, as absolute paths. */
export interface Places {
  config: string;
  data: string;
}

/** Returns the folders: an option, else INTERLOCK_CONFIG and INTERLOCK_DATA, else here and `.interlock` in it. */
export function placesOf(options: PlaceOptions, env: Environment = processEnvironment()): Places {
  const { INTERLOCK_CONFIG = '.', INTERLOCK_DATA } = env;
  const config = path.resolve(options.config ?? INTERLOCK_CONFIG);
  const data = path.resolve(options.data ?? INTERLOCK_DATA ?? path.join(config, '.interlock'));
  return { config, data };
}

/** Returns the user's folder of compiled modules: NODE_COMPILE_CACHE, else below the user's caches. */
export function compileCacheOf({ NODE_COMPILE_CACHE, XDG_CACHE_HOME }: Environment): string {
  const caches = XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return NODE_COMPILE_CACHE || path.join(caches, 'interlock', 'compile-cache');
}

/** Returns the files of a data folder. */
export function dataFiles(data: string) {
  return {
    context: path.join(data, 'context.json'),
    keys: path.join(data, 'keys'),
    keyring: path.join(data, 'keys', 'keyring.jws'),
    author: path.join(data, 'keys', 'author.json'),
    kek: path.join(data, 'keys', 'broker.kek.json'),
    callIdKey: path.join(data, 'keys', 'call-id.key'),
    traceToken: path.join(data, 'keys', 'trace.token'),
    operator: path.join(data, 'operator', 'operator.json'),
    people: path.join(data, 'people.json'),
    ports: path.join(data, 'ports.json'),
    lock: path.join(data, 'up.json'),
    logs: path.join(data, 'logs'),
  };
}
