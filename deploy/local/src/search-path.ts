import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '@interlock/shell';

/** Programs of npm packages beside this one, such as MCP servers. */
const PROGRAMS = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

/** Returns where services find programs: beside this Node, on the PATH, and in what is installed with Interlock. */
export function searchPath({ PATH }: Environment): string {
  return [path.dirname(process.execPath), PATH, PROGRAMS].filter(Boolean).join(path.delimiter);
}
