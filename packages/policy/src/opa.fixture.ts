import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Json } from '@interlock/contracts';
import { processEnvironment } from '@interlock/shell';

const BUILD_DEADLINE_MS = 30_000;
/** Says nothing of anything. */
const EXPLANATION = 'explanation := {"deny": [], "ask": [], "allow": [], "notes": []}';

/**
 * Compiles what `buildBundle` would refuse: modules given as text, and data, with the real opa and none of the checks.
 * Where no text has an explanation, it gets one that says nothing.
 */
export async function buildWithOpa({ texts, data }: { texts: string[]; data?: Json }): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-opa-'));
  try {
    const sources: string[] = [];
    const explained = texts.some((text) => text.includes('explanation'));
    for (const [index, text] of texts.entries()) {
      const file = path.join(folder, `module-${index}.rego`);
      await writeFile(file, explained || index > 0 ? text : `${text}\n${EXPLANATION}\n`);
      sources.push(file);
    }
    if (data !== undefined) {
      const file = path.join(folder, 'data.json');
      await writeFile(file, JSON.stringify(data));
      sources.push(file);
    }
    const bundle = path.join(folder, 'bundle.tar.gz');
    const entrypoints = ['-e', 'interlock/main/decision', '-e', 'interlock/main/explanation'];
    const argv = ['build', '-t', 'wasm', ...entrypoints, '-o', bundle, ...sources];
    const { INTERLOCK_OPA_BIN: opa = 'opa' } = processEnvironment();
    await promisify(execFile)(opa, argv, { timeout: BUILD_DEADLINE_MS });
    return await readFile(bundle);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
