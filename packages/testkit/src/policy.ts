import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Json } from '@interlock/contracts';
import { buildBundle } from '@interlock/policy';
import { processEnvironment } from '@interlock/shell';

/** Compiling the library takes about a second; a loaded machine gets more. */
const BUILD_DEADLINE_MS = 60_000;
const LIBRARY = path.resolve(import.meta.dirname, '../../../policies');

/** What a test lays over the library: modules by the name of their rule, without the package line, and data. */
export interface PolicyOverlay {
  rules?: Record<string, string>;
  data?: Record<string, Json>;
}

/** Builds the bundle of the repository's own policies with rules and data on top, as `interlock policy build` would. */
export async function buildPolicy({ rules = {}, data = {} }: PolicyOverlay = {}): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-policy-'));
  try {
    await writeFile(path.join(folder, 'data.json'), JSON.stringify(data));
    for (const [rule, text] of Object.entries(rules)) {
      const place = path.join(folder, 'rules', rule);
      await mkdir(place, { recursive: true });
      await writeFile(path.join(place, `${rule}.rego`), `package interlock.rules.${rule}\n\n${text}\n`);
    }
    const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
    const signal = AbortSignal.timeout(BUILD_DEADLINE_MS);
    return await buildBundle({ opaBin, folders: [LIBRARY, folder], signal });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
