/** `npm run dev` in a clone, as a contributor runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Clone, makeClone } from './clone.ts';

/** Ten processes and three servers start, and some start again, on a slow machine too. */
const DEV_MS = 150_000;
const upSchema = z.object({ services: z.array(z.object({ name: z.string(), pid: z.int() })) });

let clone: Clone;
beforeAll(async () => {
  clone = await makeClone();
}, DEV_MS);
afterAll(() => clone[Symbol.asyncDispose](), DEV_MS);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test(
  '[P-dev-restarts] a changed source file restarts the services that run it and no other, and the end is clean',
  async () => {
    const { INTERLOCK_CONFIG: _config, INTERLOCK_DATA: _data, ...env } = process.env;
    const child = spawn(process.execPath, ['deploy/local/set-up/run.mjs', 'dev', '--json'], {
      cwd: clone.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await using owned = new AsyncDisposableStack();
    owned.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    });
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        printed[name] += text;
      });
    const until = (words: string | RegExp) =>
      eventually(() => {
        if (child.exitCode !== null) throw new Error(`dev ended: ${printed.stderr}`);
        return printed.stderr.search(words) >= 0;
      }, DEV_MS);
    await until('watching the source of');
    const { services } = upSchema.parse(JSON.parse(printed.stdout));
    const pidOf = (service: string) => services.find(({ name }) => name === service)?.pid ?? 0;

    await appendFile(path.join(clone.folder, 'services/limiter/src/main.ts'), '\n// Changed.\n');
    await until(/services\/limiter\/src\/main\.ts changed: restarting limiter\n/);
    await until('limiter is ready again');
    expect(isRunning(pidOf('limiter'))).toBe(false);
    expect(services.filter(({ name }) => name !== 'limiter').every(({ pid }) => isRunning(pid))).toBe(true);

    await appendFile(path.join(clone.folder, 'packages/policy/src/index.ts'), '\n// Changed.\n');
    await until(/packages\/policy\/src\/index\.ts changed: restarting decider\n/);
    await until('decider is ready again');

    child.kill('SIGTERM');
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
    expect(services.filter(({ pid }) => isRunning(pid))).toEqual([]);
    expect(await clone.status()).toBe(' M packages/policy/src/index.ts\n M services/limiter/src/main.ts\n');
  },
  2 * DEV_MS,
);
