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

/** Returns declared dependencies that nothing in their package imports, and no script or program of the root runs. */
export function unused(imports: Import[], manifests: Manifest[], sources: Source[]): string[] {
  const runs = programsRun(sources);
  return manifests.flatMap(({ folder, path, runs: needed, tests }) => {
    const here = imports.filter(({ source }) => folder === '.' || packageOf(source.path) === folder);
    const isImported = (name: string, inTests: boolean) =>
      here.some(({ source, specifier }) => vendorOf(specifier) === name && (inTests || !source.isTest));
    const isTestkit = folder === 'packages/testkit';
    return [
      ...needed
        .filter((name) => !isImported(name, isTestkit))
        .map((name) => `${path}: ${name} is not imported`),
      ...tests
        .filter((name) => !isImported(name, true) && !(folder === '.' && runs(name)))
        .map((name) => `${path}: ${name} is not imported by a test, and nothing runs it`),
    ];
  });
}

const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ bin: z.record(z.string(), z.string()).optional() })),
});
const rootSchema = z.object({ scripts: z.record(z.string(), z.string()) });

/**
 * Returns whether something runs a package as a program: a script of the root by its name, code by its folder or by
 * resolving it, or the compiler as the types of Node.
 */
function programsRun(sources: Source[]): (name: string) => boolean {
  const textOf = (file: string) => sources.find(({ path }) => path === file)?.text ?? '{}';
  const { packages } = lockSchema.parse(JSON.parse(textOf('package-lock.json')));
  const { scripts } = rootSchema.parse(JSON.parse(textOf('package.json')));
  const commands = new Set(Object.values(scripts).flatMap((script) => script.split(/\s+/)));
  const code = sources.filter(({ path, isCode }) => isCode && !path.startsWith('test/tidy'));
  const types = z
    .object({ compilerOptions: z.object({ types: z.array(z.string()) }) })
    .parse(JSON.parse(textOf('tsconfig.json')))
    .compilerOptions.types.map((name) => `@types/${name}`);
  return (name) => {
    const bins = Object.keys(packages[`node_modules/${name}`]?.bin ?? {});
    const folder = name.split('/').map((part) => `'${part}'`);
    const spellings = [
      `node_modules/${name}/`,
      `resolve('${name}'`,
      `resolve('${name}/`,
      `'node_modules', ${folder.join(', ')}`,
    ];
    return (
      types.includes(name) ||
      bins.some((bin) => commands.has(bin)) ||
      code.some(({ text }) => spellings.some((spelling) => text.includes(spelling)))
    );
  };
}

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
