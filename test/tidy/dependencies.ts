import { z } from 'zod';
import { type Import, packageOf, vendorOf } from './imports.ts';
import type { Source } from './sources.ts';

const manifestSchema = z.object({
  name: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
});

interface Manifest {
  folder: string;
  path: string;
  name: string;
  runs: string[];
  tests: string[];
  versions: Record<string, string>;
}

/** Returns what each package.json declares. */
export function manifestsOf(sources: Source[]): Manifest[] {
  return sources
    .filter(({ path }) =>
      /(^|^(packages|services)\/[^/]+\/|^deploy\/local\/|^examples\/demo\/)package\.json$/.test(path),
    )
    .map(({ path, text }) => {
      const { name, dependencies, devDependencies } = manifestSchema.parse(JSON.parse(text));
      return {
        folder: path === 'package.json' ? '.' : packageOf(path),
        path,
        name,
        runs: Object.keys(dependencies),
        tests: Object.keys(devDependencies),
        versions: { ...dependencies, ...devDependencies },
      };
    });
}

/** Returns imports that no package.json declares. A test may use the root's tools and any workspace package. */
export function undeclared(imports: Import[], manifests: Manifest[]): string[] {
  const declaredAt = (folder: string) => manifests.find((manifest) => manifest.folder === folder);
  return imports.flatMap(({ source, line, specifier }) => {
    const vendor = vendorOf(specifier);
    const own = declaredAt(packageOf(source.path));
    if (vendor === undefined || own === undefined || vendor === own.name || own.runs.includes(vendor))
      return [];
    const isTesting = source.isTest || source.path.endsWith('.config.ts');
    if (isTesting && own.tests.includes(vendor)) return [];
    if (isTesting && (vendor.startsWith('@interlock/') || declaredAt('.')?.tests.includes(vendor))) return [];
    return [`${source.path}:${line}: ${vendor} is not declared in ${own.path}`];
  });
}

/** Returns declared dependencies that nothing in their package imports, and that the root's files do not name. */
export function unused(imports: Import[], manifests: Manifest[], sources: Source[]): string[] {
  const texts = sources.filter(({ path }) => !/package(-lock)?\.json$/.test(path)).map(({ text }) => text);
  const scripts = sources.find(({ path }) => path === 'package.json')?.text ?? '';
  return manifests.flatMap(({ folder, path, runs, tests }) => {
    const here = imports.filter(({ source }) => folder === '.' || packageOf(source.path) === folder);
    const isImported = (name: string, inTests: boolean) =>
      here.some(({ source, specifier }) => vendorOf(specifier) === name && (inTests || !source.isTest));
    const isTool = (name: string) =>
      folder === '.' &&
      (texts.some((text) => text.includes(name)) ||
        scripts.includes(`"node deploy/`) ||
        tools.includes(name));
    const isTestkit = folder === 'packages/testkit';
    return [
      ...runs
        .filter((name) => !isImported(name, isTestkit))
        .map((name) => `${path}: ${name} is not imported`),
      ...tests
        .filter((name) => !isImported(name, true) && !isTool(name))
        .map((name) => `${path}: ${name} is not imported by a test`),
    ];
  });
}

/** Programs the root's scripts run by a name that is not their package's. */
const tools = ['typescript', '@types/node'];

/** Returns dependencies whose version is a range, or differs between packages. */
export function looseVersions(manifests: Manifest[]): string[] {
  const seen = new Map<string, string>();
  return manifests.flatMap(({ path, versions }) =>
    Object.entries(versions).flatMap(([name, version]) => {
      const other = seen.get(name) ?? version;
      seen.set(name, other);
      if (!/^\d+\.\d+\.\d+$/.test(version)) return [`${path}: ${name} ${version} is not one version`];
      return other === version ? [] : [`${path}: ${name} is ${version} here and ${other} elsewhere`];
    }),
  );
}
