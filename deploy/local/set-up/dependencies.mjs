/** The npm packages, and the Node that comes with them. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './cache.mjs';
import { findOnPath, isExecutable, run } from './child.mjs';

/** The oldest major that runs TypeScript without a build. */
const NODE_MAJOR = 24;
/** A cold cache and a slow registry. */
const INSTALL_MS = 20 * 60_000;

/**
 * Runs `npm ci` unless node_modules was made from this lock file on this platform. The stamp is inside
 * node_modules, which `npm ci` removes first: an interrupted installation leaves none.
 * @param {string} root the repository
 * @param {(line: string) => void} report
 */
export async function installPackages(root, report) {
  const stampPath = join(root, 'node_modules', '.interlock-lock-hash');
  const isInstalled = () =>
    existsSync(stampPath) && readFileSync(stampPath, 'utf8').trim() === lockHash(root);
  if (isInstalled()) return;
  const lock = `npm-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
  const work = async () => {
    if (isInstalled()) return;
    await cleanInstall(root, report);
    writeFileSync(stampPath, `${lockHash(root)}\n`);
  };
  await withLock(lock, work, () => report('npm packages: another run is installing them, waiting for that'));
}

async function cleanInstall(root, report) {
  const npm = findOnPath('npm');
  if (npm === undefined)
    throw new Error('npm is missing from the PATH; it comes with Node (https://nodejs.org)');
  const reason = existsSync(join(root, 'node_modules')) ? 'package-lock.json changed' : 'no node_modules';
  const startMs = performance.now();
  report(`npm packages: npm ci (${reason})`);
  const answer = await run(npm, ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    timeoutMs: INSTALL_MS,
  });
  if (!answer.ok) throw new Error(`npm ci failed:\n${answer.output}`);
  report(`npm packages: ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

function lockHash(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(lock).update(`${process.platform}-${process.arch}`).digest('hex');
}

/**
 * @param {string} root the repository
 * @returns {string} the absolute path of a Node that runs TypeScript
 */
export function findNode(root) {
  const packaged = join(root, 'node_modules', 'node', 'bin', 'node');
  if (isExecutable(packaged)) return packaged;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  throw new Error(
    `Node ${NODE_MAJOR} is missing: the npm package "node" did not run its install script; ` +
      'run `npm rebuild node --ignore-scripts=false`, or start this with a newer Node',
  );
}
