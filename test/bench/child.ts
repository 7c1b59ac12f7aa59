/** Child processes of the bench: each sends one message when it is ready, and ends with the bench. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Environment } from '@interlock/shell';
import type { z } from 'zod';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

export interface Child extends AsyncDisposable {
  pid: number;
  /** Returns the first message of the process. Throws when it ends or sends none in time. */
  firstMessage<S extends z.ZodType>(schema: S): Promise<z.output<S>>;
}

/** Starts a module as a process of its own. Its errors go to standard error. */
export function startChild(module: string, args: readonly string[], env: Environment): Child {
  const child = spawn(process.execPath, [module, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  if (child.pid === undefined) throw new Error(`${module} does not start.`);
  const ended = once(child, 'exit');
  const said = once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
  // The failure reaches the first reader; before that nobody awaits it.
  said.catch(() => undefined);
  return {
    pid: child.pid,
    firstMessage: async (schema) => {
      const [message] = await Promise.race([
        said,
        ended.then(() => Promise.reject(new Error(`${module} ended before it was ready.`))),
      ]);
      return schema.parse(message);
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(force);
    },
  };
}
