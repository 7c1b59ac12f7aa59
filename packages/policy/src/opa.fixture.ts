import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Json } from '@interlock/contracts';
import { processEnvironment } from '@interlock/shell';
import { ENTRYPOINTS } from './rego.ts';

const BUILD_DEADLINE_MS = 30_000;
/** An explanation without outputs. */
const EXPLANATION = 'explanation := {"deny": [], "ask": [], "allow": [], "notes": []}';

/**
 * Compiles a module given as text, and data, with the real opa and without the checks of `buildBundle`.
 * A module without an explanation of its own gets one without outputs.
 */
export async function buildWithOpa({
  text,
  data = {},
  entrypoints = Object.values(ENTRYPOINTS),
}: {
  text: string;
  data?: Json;
  entrypoints?: string[];
}): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-opa-'));
  try {
    const whole = text.includes('explanation') ? text : `${text}\n${EXPLANATION}`;
    await writeFile(path.join(folder, 'main.rego'), `${whole}\n`);
    await writeFile(path.join(folder, 'data.json'), JSON.stringify(data));
    const asked = entrypoints.flatMap((entrypoint) => ['-e', entrypoint]);
    const argv = ['build', '-t', 'wasm', ...asked, '-o', 'bundle.tar.gz', 'main.rego', 'data.json'];
    const { INTERLOCK_OPA_BIN: opa = 'opa' } = processEnvironment();
    await promisify(execFile)(opa, argv, { cwd: folder, timeout: BUILD_DEADLINE_MS });
    return await readFile(path.join(folder, 'bundle.tar.gz'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
