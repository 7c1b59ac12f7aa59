/** The sources of a missing program: a container image, a Go build, Debian's package manager. */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findOnPath, run } from './child.mjs';
import { parseVersion } from './tools.mjs';

/** Its go.mod and go.sum, or those of a tool's own folder in it, pin every module of every build. */
const MODULE_FOLDER = dirname(fileURLToPath(import.meta.url));
const GO_MINOR = 26;
/** Where Go's own installer puts it; the PATH often lacks this folder. */
const GO_FOLDERS = ['/usr/local/go/bin'];
const ADMINISTRATION_FOLDERS = [
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
];

const PROBE_MS = 10_000;
const COPY_MS = 60_000;
/** An image of some ten megabytes over a slow line. */
const PULL_MS = 5 * 60_000;
/** About 100 s each on two cores with an empty build cache; the rest is for slow machines. */
const BUILD_MS = 25 * 60_000;
const PACKAGE_MS = 10 * 60_000;
/** A Go build uses every core by itself; more than two side by side only cost memory. */
const BUILDS_AT_ONCE = 2;

/**
 * @typedef {{ path: string, name: string }} Engine
 * @typedef {{ path: string, version: string }} Go
 */

/** @returns {Promise<Engine | string>} a container engine that answers, or why there is none */
export async function findEngine() {
  // An image holds programs for Linux, whatever system the engine runs on.
  if (process.platform !== 'linux') return 'programs from container images run on Linux only';
  for (const name of ['docker', 'podman']) {
    const path = findOnPath(name);
    if (path !== undefined && (await run(path, ['info'], { timeoutMs: PROBE_MS })).ok) return { path, name };
  }
  return 'no container engine runs';
}

/** @returns {Promise<Go | string>} a Go that can build the pinned modules, or why there is none */
export async function findGo() {
  const path = findOnPath('go', GO_FOLDERS);
  if (path === undefined) return `no Go 1.${GO_MINOR}`;
  const answer = await run(path, ['version'], { timeoutMs: PROBE_MS, env: { GOTOOLCHAIN: 'local' } });
  const version = answer.ok ? parseVersion(answer.output) : undefined;
  if (version === undefined) return `${path} does not work`;
  const isRecent = version.major > 1 || version.minor >= GO_MINOR;
  return isRecent ? { path, version: version.text } : `Go ${version.text} is older than 1.${GO_MINOR}`;
}

/** @returns {string | undefined} why apt-get cannot be used here, undefined when it can */
export function whyNoApt() {
  if (!existsSync('/etc/debian_version')) return 'not a Debian system';
  if (process.getuid?.() !== 0) return 'not root, so apt-get cannot install it';
  return findOnPath('apt-get', ADMINISTRATION_FOLDERS) === undefined ? 'no apt-get' : undefined;
}

/**
 * Copies a program out of its pinned image without ever running a container.
 * @param {import('./tools.mjs').Tool} tool
 * @param {Engine} engine
 * @param {string} folder receives the program
 */
export async function takeFromImage(tool, engine, folder) {
  const container = `interlock-set-up-${randomUUID()}`;
  await mustRun(engine.path, ['create', '--network', 'none', '--name', container, tool.image], PULL_MS);
  try {
    const target = join(folder, tool.executable);
    await mustRun(engine.path, ['cp', '-L', `${container}:${tool.imagePath}`, target], COPY_MS);
    chmodSync(target, 0o755);
  } finally {
    await run(engine.path, ['rm', '--force', container], { timeoutMs: COPY_MS });
  }
}

/**
 * Builds a program from go.mod and go.sum; neither file is ever changed by a build.
 * @param {import('./tools.mjs').Tool} tool
 * @param {Go} go
 * @param {string} folder receives the program; its parent is free for sources
 */
export async function buildWithGo(tool, go, folder) {
  await takeBuildSlot();
  try {
    const modFile =
      tool.versionFile === undefined ? [] : [`-modfile=${await patchModule(tool, go, dirname(folder))}`];
    const linked =
      tool.versionSymbol === undefined ? [] : [`-ldflags=-X ${tool.versionSymbol}=${tool.version}`];
    const flags = ['-trimpath', '-mod=readonly', '-buildvcs=false', ...modFile, ...linked];
    const output = join(folder, tool.executable);
    await mustRunGo(tool, go, ['build', ...flags, '-o', output, tool.goPackage]);
  } finally {
    freeBuildSlot();
  }
}

/**
 * Copies a checksummed module, adds the file it lacks and points a second go.mod at the copy.
 * @returns {Promise<string>} the path of that go.mod, its go.sum beside it
 */
async function patchModule(tool, go, folder) {
  await mustRunGo(tool, go, ['mod', 'download', tool.goModule]);
  const query = ['list', '-mod=readonly', '-m', '-f', '{{.Dir}}', tool.goModule];
  const origin = await mustRunGo(tool, go, query);
  const copy = join(folder, 'source');
  cpSync(origin.split('\n').at(-1), copy, { recursive: true });
  makeWritable(copy);
  mkdirSync(dirname(join(copy, tool.versionFile)), { recursive: true });
  writeFileSync(join(copy, tool.versionFile), `v${tool.version}\n`);
  const modFile = join(folder, 'patched.mod');
  const pinned = readFileSync(join(moduleFolder(tool), 'go.mod'), 'utf8');
  writeFileSync(modFile, `${pinned}\nreplace ${tool.goModule} => ${JSON.stringify(copy)}\n`);
  copyFileSync(join(moduleFolder(tool), 'go.sum'), join(folder, 'patched.sum'));
  return modFile;
}

/** Go's module cache is read-only, folders included, and a copy of it could not be removed again. */
function makeWritable(path) {
  if (!statSync(path).isDirectory()) return chmodSync(path, 0o644);
  chmodSync(path, 0o755);
  for (const name of readdirSync(path)) makeWritable(join(path, name));
}

/**
 * Installs a Debian package and links its program under its usual name. No service is started.
 * @param {import('./tools.mjs').Tool} tool
 * @param {string} folder receives the link
 */
export async function installWithApt(tool, folder) {
  const apt = findOnPath('apt-get', ADMINISTRATION_FOLDERS);
  const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300'];
  const path = [process.env.PATH, ...ADMINISTRATION_FOLDERS].filter(Boolean).join(':');
  const env = { PATH: path, DEBIAN_FRONTEND: 'noninteractive' };
  await mustRun(apt, [...options, 'update'], PACKAGE_MS, { env });
  await mustRun(apt, [...options, '--no-install-recommends', 'install', tool.debianPackage], PACKAGE_MS, {
    env,
  });
  symlinkSync(tool.debianPath, join(folder, tool.executable));
}

function moduleFolder(tool) {
  return join(MODULE_FOLDER, tool.goFolder ?? '');
}

function mustRunGo(tool, go, args) {
  // Pure Go, built by the installed Go: neither a C compiler nor a second toolchain is fetched.
  const env = { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off' };
  return mustRun(go.path, args, BUILD_MS, { cwd: moduleFolder(tool), env });
}

async function mustRun(command, args, timeoutMs, options = {}) {
  const answer = await run(command, args, { ...options, timeoutMs });
  if (!answer.ok) throw new Error(`${command} ${args[0]} failed:\n${lastLines(answer.output)}`);
  return answer.output;
}

/** @param {string} output */
export function lastLines(output) {
  const count = 15;
  return output.split('\n').slice(-count).join('\n');
}

let buildsRunning = 0;
/** @type {(() => void)[]} */
const buildsWaiting = [];

async function takeBuildSlot() {
  if (buildsRunning >= BUILDS_AT_ONCE)
    await new Promise((resolve) => buildsWaiting.push(() => resolve(undefined)));
  buildsRunning += 1;
}

function freeBuildSlot() {
  buildsRunning -= 1;
  buildsWaiting.shift()?.();
}
