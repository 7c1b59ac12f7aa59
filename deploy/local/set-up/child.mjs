/** Child processes of set-up: bounded in time and output, and ended when set-up is. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Enough to show why a build failed; the rest of a long log is dropped from the front. */
const OUTPUT_LIMIT_CHARACTERS = 8_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Runs a program without standard input and waits for its end. Never rejects: a program that cannot be
 * started or exceeds its time has `ok` false and the reason in `output`.
 * @param {string} command
 * @param {string[]} args
 * @param {{ timeoutMs: number, cwd?: string, env?: Record<string, string> }} options `env` is added to our own
 * @returns {Promise<{ ok: boolean, output: string }>} standard output and error together
 */
export function run(command, args, options) {
  return new Promise((resolve) => {
    let output = '';
    let isOver = false;
    const child = spawn(command, args, {
      cwd: options.cwd,
      // Go and npm keep their caches under HOME and refuse to start without one.
      env: { HOME: homedir(), ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running.add(child);
    const timer = setTimeout(() => {
      output += `\n${command} did not end within ${options.timeoutMs / 1000} s`;
      endTree(child);
    }, options.timeoutMs);
    const finish = (ok) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      running.delete(child);
      resolve({ ok, output: output.trim() });
    };
    const collect = (chunk) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_LIMIT_CHARACTERS);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => {
      output += error.message;
      finish(false);
    });
    child.on('close', (code) => finish(code === 0));
  });
}

/** Ends every child still running, with what it started itself. */
export function endChildren() {
  for (const child of running) endTree(child);
}

/** Each child leads its own process group, so that a compiler under `go` ends with it. */
function endTree(child) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}

/**
 * Finds a program in the folders of the PATH, then in `extraFolders`.
 * @param {string} name
 * @param {string[]} [extraFolders]
 * @returns {string | undefined} its absolute path
 */
export function findOnPath(name, extraFolders = []) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  return [...folders, ...extraFolders].map((folder) => join(folder, name)).find(isExecutable);
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
