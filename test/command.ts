/** Runs `interlock` as a person does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Line } from './line.ts';

const MAIN = fileURLToPath(new URL('../deploy/local/src/main.ts', import.meta.url));

export interface Ended {
  code: number;
  /** The document it printed. */
  result: unknown;
  /** What it printed on standard error. */
  stderr: string;
}

/** Runs `interlock policy` as alice would, and returns how it ended. */
export async function runPolicy(line: CommandLine, ...argv: string[]): Promise<Ended> {
  return await runCommand(line, 'policy', ...argv);
}

type CommandLine = { interlock: Pick<Line['interlock'], 'data'>; config: string };

/** Runs `interlock` as alice would, and returns how it ended. */
export async function runCommand({ interlock, config }: CommandLine, ...argv: string[]): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [MAIN, ...argv, '--json', '--data', interlock.data, '--config', config],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, result: out === '' ? undefined : JSON.parse(out), stderr: err };
}
