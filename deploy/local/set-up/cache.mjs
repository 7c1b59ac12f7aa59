/**
 * The per-user cache and its locks.
 *
 * C1. A folder appears under its final name only when its content is complete (built aside, then renamed).
 * C2. At most one run at a time holds a lock; the others wait and then find the work done.
 * C3. A lock whose holder ended is taken over: at once on the same host, after `LOCK_STALE_MS` from another
 *     (a cache shared between containers). A holder shows that it runs by touching its lock.
 */
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir, hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const LOCK_TOUCH_MS = 5_000;
/** Twelve missed touches: longer than any pause of a loaded machine. */
const LOCK_STALE_MS = 60_000;
const LOCK_POLL_MS = 200;
/** Longer than the slowest build on a slow machine. */
const LOCK_WAIT_MS = 30 * 60_000;
/** Left by a run that was killed; no build takes this long. */
const LEFTOVER_AGE_MS = 6 * 60 * 60_000;
const WORK_PREFIX = '.work-';

/** Removed when this process ends in the middle of set-up. @type {Set<string>} */
const temporary = new Set();
process.on('exit', () => {
  for (const path of temporary) rmSync(path, { recursive: true, force: true });
});

/** @returns {string} the cache folder, made when missing (XDG Base Directory Specification) */
export function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME;
  const folder = join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'interlock');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * C1. Gives `fill` an empty folder and moves it to `target` when `fill` has succeeded.
 * @param {string} target absolute, inside the cache
 * @param {(folder: string) => Promise<void>} fill throws to leave `target` untouched
 */
export async function installInto(target, fill) {
  removeLeftovers();
  const work = mkdtempSync(join(cacheFolder(), WORK_PREFIX));
  temporary.add(work);
  try {
    const folder = join(work, 'install');
    mkdirSync(folder);
    await fill(folder);
    rmSync(target, { recursive: true, force: true });
    renameSync(folder, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
    temporary.delete(work);
  }
}

/**
 * Runs `work` while holding the lock `name`.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @param {() => void} onWait called once when another run holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(name, work, onWait) {
  const path = join(cacheFolder(), `${name}.lock`);
  const own = JSON.stringify({ pid: process.pid, host: hostname(), token: randomUUID() });
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (let hasWaited = false; !tryLock(path, own); hasWaited = true) {
    if (performance.now() > deadline) throw new Error(`another run has held ${path} for too long`);
    if (removeStaleLock(path)) continue;
    if (!hasWaited) onWait();
    await pause(LOCK_POLL_MS);
  }
  temporary.add(path);
  const touch = setInterval(() => touchLock(path), LOCK_TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    rmSync(path, { force: true });
    temporary.delete(path);
  }
}

/** C2. A link appears with its whole content or not at all; a file that is written may appear empty first. */
function tryLock(path, own) {
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, own);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** C3. Moves the lock aside first, so that of two runs that both find a dead holder only one takes over. */
function removeStaleLock(path) {
  if (!isStale(path)) return false;
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    // Between the check and the move the lock may have got a new, live holder: put it back.
    if (!isStale(aside)) linkSync(aside, path);
    rmSync(aside, { force: true });
  } catch {
    // Another run was faster; the next attempt finds its lock.
    rmSync(aside, { force: true });
  }
  return true;
}

function isStale(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > LOCK_STALE_MS) return true;
    const holder = JSON.parse(readFileSync(path, 'utf8'));
    return holder.host === hostname() && !isAlive(holder.pid);
  } catch {
    return false;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs and belongs to another user.
    return error.code === 'EPERM';
  }
}

function touchLock(path) {
  if (existsSync(path)) utimesSync(path, new Date(), new Date());
}

function removeLeftovers() {
  for (const name of readdirSync(cacheFolder())) {
    const path = join(cacheFolder(), name);
    if (!name.startsWith(WORK_PREFIX)) continue;
    const isOld =
      Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > LEFTOVER_AGE_MS;
    if (isOld) rmSync(path, { recursive: true, force: true });
  }
}
