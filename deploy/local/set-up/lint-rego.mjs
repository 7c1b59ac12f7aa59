/** Lints policies/ with the Regal that set-up found, by .regal/config.yaml; `--json` gives its report as JSON. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** A lint takes seconds; the rest is for a loaded machine. */
const LINT_MS = 5 * 60_000;

try {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
  const format = values.json ? 'json' : 'pretty';
  const args = ['lint', '--format', format, '--config-file', '.regal/config.yaml', 'policies'];
  const { status, error } = spawnSync(process.env.INTERLOCK_REGAL_BIN, args, {
    stdio: 'inherit',
    timeout: LINT_MS,
  });
  if (error !== undefined) throw error;
  // Ended by a signal: there is no verdict, so the lint has not passed.
  process.exitCode = status ?? 1;
} catch (error) {
  process.stderr.write(`interlock: ${error.message}\n`);
  process.exitCode = 1;
}
