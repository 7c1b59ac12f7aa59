/** Which services run which source, and changes of that source as they happen. */
import { watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type ServiceName, services } from '@interlock/contracts';
import { systemClock } from '@interlock/shell';
import { z } from 'zod';

/** An editor writes a file in several steps, and a checkout changes many files. */
const SETTLE_MS = 200;
/** What no service runs. */
const NOT_RUN = /\.(test|fixture)\.ts$/;
const PREFIX = '@interlock/';

const manifestSchema = z.object({
  name: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

/** The folder of a package in the repository, and the services that import it, directly or not. */
export interface WatchedPackage {
  folder: string;
  services: ServiceName[];
}

/** Returns every package of a repository that a service runs, from what the packages declare. */
export async function packagesOf(root: string): Promise<WatchedPackage[]> {
  const folders = (
    await Promise.all(
      ['packages', 'services'].map(async (parent) =>
        (await readdir(path.join(root, parent))).map((name) => path.join(parent, name)),
      ),
    )
  ).flat();
  const manifests = await Promise.all(
    folders.map(async (folder) => {
      const text = await readFile(path.join(root, folder, 'package.json'), 'utf8');
      return { folder, ...manifestSchema.parse(JSON.parse(text)) };
    }),
  );
  const below = (name: string): Set<string> => {
    const own = manifests.find((manifest) => manifest.name === name);
    const direct = Object.keys(own?.dependencies ?? {}).filter((one) => one.startsWith(PREFIX));
    return new Set([name, ...direct.flatMap((one) => [...below(one)])]);
  };
  const runBy = services.map((service) => ({ service, packages: below(`${PREFIX}${service}`) }));
  return manifests
    .map(({ folder, name }) => ({
      folder,
      services: runBy.filter(({ packages }) => packages.has(name)).map(({ service }) => service),
    }))
    .filter((one) => one.services.length > 0);
}

/** One settled change: the files, relative to the repository, and the services that run them. */
export interface SourceChange {
  files: string[];
  services: ServiceName[];
}

/** Watches the source of packages from now on, and yields every change until `signal` aborts. */
export function sourceChanges(
  root: string,
  packages: readonly WatchedPackage[],
  signal: AbortSignal,
): AsyncGenerator<SourceChange> {
  const changed = new Map<string, readonly ServiceName[]>();
  let { promise: awake, resolve: wake } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => wake(), { once: true });
  for (const { folder, services: runBy } of packages) {
    const source = path.join(folder, 'src');
    watch(path.join(root, source), { recursive: true, signal }, (_, name) => {
      if (name === null || !name.endsWith('.ts') || NOT_RUN.test(name)) return;
      changed.set(path.join(source, name), runBy);
      wake();
    });
  }
  return settledChanges();

  async function* settledChanges(): AsyncGenerator<SourceChange> {
    while (!signal.aborted) {
      await awake;
      await systemClock.sleep(SETTLE_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      const files = [...changed.keys()].sort();
      const affected = new Set([...changed.values()].flat());
      changed.clear();
      ({ promise: awake, resolve: wake } = Promise.withResolvers<void>());
      yield { files, services: services.filter((service) => affected.has(service)) };
    }
  }
}
