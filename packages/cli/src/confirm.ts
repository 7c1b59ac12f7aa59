/** Asking the person at the terminal before something is done that cannot be taken back. */
import { createInterface } from 'node:readline/promises';
import { Failure } from '@interlock/shell';
import { plain } from './output.ts';

/** Options of a command that asks first. */
export interface ConfirmOptions {
  yes?: boolean;
}

/**
 * Shows what would be done and asks whether to do it. Shown is it on standard error, so that `--json` prints one document.
 * Throws `not_confirmed` where the answer is no, and where there is no terminal and no `--yes`.
 */
export async function confirm({ yes }: ConfirmOptions, shown: string, question: string): Promise<void> {
  process.stderr.write(`${plain(shown)}\n`);
  if (yes === true) return;
  if (!process.stdin.isTTY)
    throw new Failure('not_confirmed', 'There is no terminal to ask at. Nothing was done.', {
      next: 'Read what is shown above, then repeat the command with --yes.',
    });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new AbortController();
  terminal.once('close', () => closed.abort());
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: closed.signal }).catch(() => '');
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    terminal.close();
  }
  throw new Failure('not_confirmed', 'The answer was not yes. Nothing was done.');
}
