/** Where a program is, and what of the host's folders it needs to run. */
import { accessSync, constants, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { Fault } from '@interlock/contracts';

const MODULES = `${path.sep}node_modules${path.sep}`;

/** Returns the absolute path of a program. Throws `upstream_failed` when there is none. */
export function findProgram(command: string, searchPath: string): string {
  const candidates = command.includes(path.sep)
    ? [command]
    : searchPath
        .split(path.delimiter)
        .filter((folder) => path.isAbsolute(folder))
        .map((folder) => path.join(folder, command));
  const found = candidates.find((file) => path.isAbsolute(file) && isProgram(file));
  if (found !== undefined) return found;
  throw new Fault('upstream_failed', {
    detail: `The program ${command} of a local MCP server is not there, or cannot be run.`,
    next: 'Install the program, or name it with its whole path in the tool file.',
  });
}

/** Returns a program by name, or undefined when the search path has none. */
export function programNamed(name: string, searchPath: string): string | undefined {
  try {
    return findProgram(name, searchPath);
  } catch {
    return undefined;
  }
}

/**
 * Returns the files and folders that a program consists of, besides those of the system: the `node_modules` it stands
 * in, its Python environment, or the file itself; and the same for what it is a link to.
 */
export function partsOf(program: string): string[] {
  const parts = [program, realpathSync(program)].flatMap((file) => [file, ...surroundingsOf(file)]);
  return [...new Set(parts)].filter((part) => !part.startsWith('/usr/'));
}

function surroundingsOf(file: string): string[] {
  const modules = file.indexOf(MODULES);
  if (modules >= 0) return [file.slice(0, modules + MODULES.length - 1)];
  if (path.basename(path.dirname(file)) !== 'bin') return [];
  const root = path.dirname(path.dirname(file));
  if (existsSync(path.join(root, 'pyvenv.cfg'))) return [root];
  const libraries = path.join(root, 'lib');
  if (!existsSync(libraries) || !statSync(libraries).isDirectory()) return [];
  // Node and Python as version managers install them: the program in bin, its modules in lib.
  return readdirSync(libraries)
    .filter((name) => /^node_modules$|^(lib)?python/.test(name))
    .map((name) => path.join(libraries, name));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
