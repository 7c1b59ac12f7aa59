/**
 * Writes an SPDX document of every npm package that runs to standard output.
 *
 * `npm sbom --omit=dev` also leaves out what runs, where some package.json names it as a development dependency too
 * (npm 11: zod and ajv were missing). So npm lists everything, and what the lock file marks as development only is taken
 * out here.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
/** The document of everything is about 400 KiB. */
const OUTPUT_MAX_BYTES = 16 * 1_048_576;
const DOCUMENT = 'SPDXRef-DOCUMENT';

const listed = execFileSync('npm', ['sbom', '--sbom-format=spdx'], {
  cwd: ROOT,
  maxBuffer: OUTPUT_MAX_BYTES,
});
const sbom = JSON.parse(listed.toString('utf8'));
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));

// A version that stands in two folders is listed once, under either.
const running = new Set(
  Object.entries(lock.packages)
    .filter(([, { dev }]) => dev !== true)
    .map(([place, { name, version }]) => `${name ?? place.split('node_modules/').at(-1)}@${version}`),
);
const packages = sbom.packages.filter(({ name, versionInfo }) => running.has(`${name}@${versionInfo}`));
const kept = new Set([DOCUMENT, ...packages.map(({ SPDXID }) => SPDXID)]);
const relationships = sbom.relationships.filter(
  ({ spdxElementId, relatedSpdxElement }) => kept.has(spdxElementId) && kept.has(relatedSpdxElement),
);
process.stdout.write(`${JSON.stringify({ ...sbom, packages, relationships }, null, 2)}\n`);
