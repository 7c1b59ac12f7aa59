/** Runs something again whenever a file in some folders changes. */
import { watch } from 'node:fs';
import path from 'node:path';
import { exists } from '@interlock/policy';
import { systemClock } from '@interlock/shell';

/** An editor writes a file in several steps. */
const SETTLE_MS = 100;
const WATCHED = /\.(rego|ya?ml|json)$/;

/** Runs `work` now and after each change in some folders, with or without those in them, until `signal` aborts. `work` handles its own failures. */
export async function runOnChanges(
  folders: { flat: readonly string[]; whole: readonly string[] },
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let changed = Promise.withResolvers<void>();
  const onChange = (_: string, name: string | null) => {
    const isOwn =
      name !== null && WATCHED.test(name) && !name.split(path.sep).some((part) => part.startsWith('.'));
    if (isOwn) changed.resolve();
  };
  for (const folder of folders.flat) watch(folder, { signal }, onChange);
  for (const folder of folders.whole)
    if (await exists(folder)) watch(folder, { recursive: true, signal }, onChange);
  signal.addEventListener('abort', () => changed.resolve());
  while (!signal.aborted) {
    changed = Promise.withResolvers<void>();
    if (signal.aborted) return;
    await work();
    await changed.promise;
    await systemClock.sleep(SETTLE_MS);
  }
}
