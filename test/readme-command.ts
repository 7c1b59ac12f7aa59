/** Commands as the README names them, to be run by a test. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

const ROOT = path.resolve(import.meta.dirname, '..');
/** This section is followed as a whole, word for word, by `quickstart.test.ts`. */
const FOLLOWED = '## A first own tool and policy in under five minutes';
const manifestSchema = z.object({ scripts: z.record(z.string(), z.string()) });

/** Returns every npm command that the README names outside the section that is followed as a whole. */
export function commandsOfReadme(): string[] {
  const [before = '', after = ''] = read('README.md').split(FOLLOWED);
  const rest = before + after.slice(after.indexOf('\n## '));
  return [...rest.matchAll(/`(npm [^`]+)`|^(npm .+)$/gm)].map(([, inline, line]) => inline ?? line ?? '');
}

/**
 * Returns what npm runs for a command that the README names, to be started without npm: it passes no signal on.
 * Throws when the README does not name the command.
 */
export function readmeCommand(command: string): { program: string; args: string[] } {
  if (!commandsOfReadme().includes(command)) throw new TypeError(`The README does not name ${command}.`);
  const [, script = '', , more = ''] = /^npm run (\S+)( -- (.+))?$/.exec(command) ?? [];
  const { scripts } = manifestSchema.parse(JSON.parse(read('package.json')));
  const [program = '', ...args] = `${scripts[script] ?? ''} ${more}`.trim().split(' ');
  return { program, args };
}

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}
