import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Json, type PolicyEntry, sha256 } from '@interlock/contracts';
import { processEnvironment } from '@interlock/shell';

const BUILD_DEADLINE_MS = 30_000;
const base = path.resolve(import.meta.dirname, '../../../policies');
const library = ['allow_listed', 'amount_cap', 'blocked_tools', 'destructive_asks', 'sends_external_asks'];

/** The files of the repository's own policies. */
export const baseModules = [
  path.join(base, 'main/main.rego'),
  ...library.map((name) => path.join(base, `rules/${name}/${name}.rego`)),
];

/** Builds a bundle with the real opa: existing modules, modules given as text, and data. */
export async function buildWithOpa({
  files = [],
  texts = [],
  data,
}: {
  files?: string[];
  texts?: string[];
  data?: Json;
}): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-opa-'));
  try {
    const sources = [...files];
    for (const [index, text] of texts.entries()) {
      const file = path.join(folder, `module-${index}.rego`);
      await writeFile(file, text);
      sources.push(file);
    }
    if (data !== undefined) {
      const file = path.join(folder, 'data.json');
      await writeFile(file, JSON.stringify(data));
      sources.push(file);
    }
    const bundle = path.join(folder, 'bundle.tar.gz');
    const argv = ['build', '-t', 'wasm', '-e', 'interlock/main/decision', '-o', bundle, ...sources];
    const { INTERLOCK_OPA_BIN: opa = 'opa' } = processEnvironment();
    await promisify(execFile)(opa, argv, { timeout: BUILD_DEADLINE_MS });
    return await readFile(bundle);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns the entry management would sign for a bundle. */
export function entryOf(bytes: Uint8Array, version = 1): PolicyEntry {
  return { version, digest: sha256(bytes), bytes: bytes.byteLength, publishedAt: 1, by: 'ada' };
}
