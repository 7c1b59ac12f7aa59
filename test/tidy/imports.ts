import { posix } from 'node:path';
import type { Source } from './sources.ts';

/** One import: where it stands and what it names. */
export interface Import {
  source: Source;
  line: number;
  specifier: string;
}

const STATEMENT =
  /^(?:import|export)\b[^'";]*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm;

/** Returns every import of the sources, static and dynamic. */
export function importsOf(sources: Source[]): Import[] {
  return sources.flatMap((source) =>
    /\.(ts|mjs|js)$/.test(source.path)
      ? [...source.text.matchAll(STATEMENT)].map((match) => ({
          source,
          line: source.text.slice(0, match.index + match[0].length).split('\n').length,
          specifier: match[1] ?? match[2] ?? match[3] ?? '',
        }))
      : [],
  );
}

/** Returns `packages/bus` for a file of that package, `.` for what belongs to the repository itself. */
export function packageOf(path: string): string {
  return /^(packages|services)\/[^/]+|^deploy\/local|^examples\/demo/.exec(path)?.[0] ?? '.';
}

/** Returns the package a specifier names: `@scope/name` or `name`; undefined for files and for Node's own. */
export function vendorOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

const services = [
  'approver',
  'auditor',
  'broker',
  'console',
  'decider',
  'executor',
  'ingress',
  'limiter',
  'provisioner',
] as const;

/**
 * The floors: what each package stands on. Running code may import that, and what that stands on in turn. The tests of
 * every package may import all of them. Why: docs/decisions/030.
 */
const floors: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  keys: ['contracts'],
  bus: ['keys'],
  shell: ['keys'],
  egress: ['keys'],
  sandbox: ['contracts'],
  mcp: ['egress', 'sandbox'],
  request: ['egress'],
  facts: ['shell', 'request'],
  gate: ['bus', 'shell', 'mcp'],
  policy: ['shell'],
  'policy-analysis': ['policy', 'egress', 'facts'],
  testkit: ['bus', 'policy'],
  cli: ['policy-analysis', 'mcp'],
  ...Object.fromEntries(services.map((service) => [service, ['gate', 'policy', 'facts']])),
  demo: ['cli'],
  // The one place that imports services.
  local: [...services, 'demo'],
};

/** Returns everything a package may import of ours. */
function below(name: string): ReadonlySet<string> {
  const direct = floors[name] ?? [];
  return new Set(direct.flatMap((floor) => [floor, ...below(floor)]));
}

/** Returns what breaks the direction of imports. */
export function wrongWays(imports: Import[]): string[] {
  return imports.flatMap(({ source, line, specifier }) => {
    const at = `${source.path}:${line}:`;
    if (specifier.startsWith('.')) return wrongFile(source.path, specifier).map((words) => `${at} ${words}`);
    if (!specifier.startsWith('@interlock/')) return [];
    if (specifier.split('/').length > 2) return [`${at} import ${vendorOf(specifier)} by its root`];
    const own = packageOf(source.path);
    if (source.isTest || own === '.') return [];
    const [name = '', target = ''] = [own.split('/')[1], specifier.split('/')[1]];
    if (!Object.hasOwn(floors, name)) return [`${at} ${own} stands on no floor: add it to the table`];
    return below(name).has(target) ? [] : [`${at} ${own} may not import ${specifier}`];
  });
}

/** Returns every circle of files that import each other, as the path that leads round. Types count. */
export function circles(imports: Import[]): string[] {
  const edges = new Map<string, string[]>();
  for (const { source, specifier } of imports) {
    if (!specifier.startsWith('.')) continue;
    const target = posix.join(posix.dirname(source.path), specifier);
    edges.set(source.path, [...(edges.get(source.path) ?? []), target]);
  }
  const [done, found] = [new Set<string>(), new Set<string>()];
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) found.add([...trail.slice(start), path].join(' → '));
    if (start >= 0 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return [...found];
}

function wrongFile(path: string, specifier: string): string[] {
  const target = posix.join(posix.dirname(path), specifier);
  const own = packageOf(path);
  return [
    ...(/\.(ts|mjs|json)$/.test(specifier) ? [] : [`write the file's ending in ${specifier}`]),
    ...(own === '.' || packageOf(target) === own
      ? []
      : [`${specifier} is in another package: import its root`]),
  ];
}

/** Each vendor and the files that may import it: the fence a replacement would have to pass. */
const fences: readonly { vendor: RegExp; files: RegExp }[] = [
  { vendor: /^@interlock\//, files: /./ },
  { vendor: /^zod$/, files: /./ },
  { vendor: /^@opentelemetry\/api$/, files: /./ },
  {
    vendor: /^(vitest|fast-check)$/,
    files: /\.test\.ts$|^test\/|^vitest\.config\.ts$|\.fixture\.ts$/,
  },
  // The testkit's observer looks at the streams past the bus, as no service may.
  { vendor: /^@nats-io\//, files: /^packages\/bus\/src\/|^packages\/testkit\/src\/observer\.ts$/ },
  // Every bounded map that drops what was used longest ago, wherever it stands.
  { vendor: /^lru-cache$/, files: /^(packages|services)\/[^/]+\/src\// },
  { vendor: /^@smithy\//, files: /^packages\/request\/src\/aws-sigv4\.ts$/ },
  { vendor: /^undici$/, files: /^packages\/egress\/src\/agent\.ts$/ },
  { vendor: /^ipaddr\.js$/, files: /^packages\/egress\/src\/address\.ts$/ },
  { vendor: /^http-message-signatures$/, files: /^packages\/egress\/src\/signature\.test\.ts$/ },
  { vendor: /^canonicalize$/, files: /^packages\/contracts\/src\/json\.ts$/ },
  { vendor: /^(pino|prom-client|@opentelemetry\/.*)$/, files: /^packages\/shell\/src\// },
  {
    vendor: /^yaml$/,
    files: /^packages\/cli\/src\/|^packages\/policy\/src\/(build|cases)\.ts$|^policies\/policies\.test\.ts$/,
  },
  {
    vendor: /^commander$/,
    files: /^packages\/cli\/src\/|^deploy\/local\/src\/(commands\/)|^examples\/demo\/src\/command\.ts$/,
  },
  { vendor: /^diff$/, files: /^packages\/policy-analysis\/src\/unified-diff\.ts$/ },
  { vendor: /^ioredis$/, files: /^services\/limiter\/src\/redis\.ts$|^packages\/testkit\/src\// },
  { vendor: /^mongodb$/, files: /^services\/auditor\/src\/(mongo|audited-bus\.fixture)\.ts$/ },
  { vendor: /^@open-policy-agent\/opa-wasm$/, files: /^packages\/policy\/src\/rego\.ts$/ },
  { vendor: /^libpg-query$/, files: /^packages\/facts\/src\/postgresql\.ts$/ },
  { vendor: /^unbash$/, files: /^packages\/facts\/src\/shell(-word)?\.ts$/ },
  { vendor: /^node-sql-parser$/, files: /^packages\/facts\/src\/mysql-sqlite\.ts$/ },
  { vendor: /^emulate$/, files: /^test\/catalog\.test\.ts$/ },
  { vendor: /^email-addresses$/, files: /^packages\/facts\/src\/recipients\.ts$/ },
  { vendor: /^@modelcontextprotocol\/client$/, files: /^packages\/mcp\/src\/client\.ts$/ },
  {
    vendor: /^@modelcontextprotocol\/sdk$/,
    files: /^services\/executor\/src\/(mcp|local)-server\.fixture\.ts$/,
  },
  {
    vendor: /^fastify$/,
    files: /^services\/(ingress\/src\/server|console\/src\/(server|otlp))\.ts$/,
  },
  {
    vendor: /^(ajv|ajv-formats|re2js)$/,
    files: /^services\/ingress\/src\/(schema|patterns)\.ts$|^test\/openapi-client\.ts$/,
  },
];

/** Returns every vendor that is imported outside its fence, or has none. */
export function outsideFences(imports: Import[]): string[] {
  return imports.flatMap(({ source, line, specifier }) => {
    const vendor = vendorOf(specifier);
    if (vendor === undefined) return [];
    const fence = fences.find((one) => one.vendor.test(vendor));
    if (fence === undefined) return [`${source.path}:${line}: ${vendor} has no fence`];
    return fence.files.test(source.path)
      ? []
      : [`${source.path}:${line}: ${vendor} belongs behind ${fence.files}`];
  });
}
