/** What is measured: a bundle of the library and made rules, the sources it was built of, and calls. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Json, type PolicyInput, sha256 } from '@interlock/contracts';
import { buildBundle, openBundle, type Policy } from '@interlock/policy';
import { processEnvironment } from '@interlock/shell';
import { poolOf } from '../../policy-agreement/inputs.ts';
import { LIBRARY, mainModules, readLibrary, settingsOf } from '../../policy-agreement/library.ts';
import { makeCalls } from './calls.ts';
import { type MadeRule, makeRules, TOOLS, ZONES } from './rules.ts';

/** A thousand rules take some ten seconds. */
const BUILD_DEADLINE_MS = 120_000;
const CALLS = 512;
const MEBIBYTE = 1_048_576;

export interface PolicyBundle extends AsyncDisposable {
  policy: Policy;
  /** Calls the rules have something to say of. */
  calls: PolicyInput[];
  /** Modules and data, for a server that evaluates the same. */
  files: string[];
  rules: number;
  dataBytes: number;
  bundleBytes: number;
  /** What it takes to open the bundle. */
  openMs: number;
}

/** Builds the whole library with made rules on top, up to `rules` in all, and a megabyte of data. */
export async function buildLibraryBundle(rules: number): Promise<PolicyBundle> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-bench-'));
  const library = await readLibrary();
  const settings = await settingsOf(library, folder);
  const made = makeRules(Math.max(0, rules - library.length), MEBIBYTE - JSON.stringify(settings).length);
  const tools = library.flatMap((rule) => poolOf(rule, settings[rule.name]).tools.slice(0, 1));
  return await bundleOf({
    base: LIBRARY,
    folder,
    made,
    settings,
    files: library.map(({ file }) => file),
    tools: [...TOOLS, ...tools],
  });
}

/** Builds made rules alone, and as much data. */
export async function buildMadeBundle(rules: number): Promise<PolicyBundle> {
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-bench-'));
  const base = path.join(folder, 'base');
  await cp(path.join(LIBRARY, 'main'), path.join(base, 'main'), { recursive: true });
  const granting = 'rules/allow_listed/allow_listed.rego';
  await cp(path.join(LIBRARY, granting), path.join(base, granting));
  const made = makeRules(rules - 1, MEBIBYTE);
  return await bundleOf({
    base,
    folder,
    made,
    settings: {},
    files: [path.join(base, granting)],
    tools: TOOLS,
  });
}

interface Contents {
  base: string;
  folder: string;
  made: MadeRule[];
  settings: Record<string, Json>;
  /** The modules of the base's rules. */
  files: string[];
  tools: string[];
}

async function bundleOf({ base, folder, made, settings, files, tools }: Contents): Promise<PolicyBundle> {
  const own = path.join(folder, 'own');
  const modules = await Promise.all(made.map((rule) => writeRule(own, rule)));
  const config: Record<string, Json> = {
    ...settings,
    zones: ZONES,
    allow_listed: [{ agents: ['*'], tools: ['*'] }],
    ...Object.fromEntries(made.map(({ name, settings: its }) => [name, its])),
  };
  const facts = JSON.stringify({ config });
  const dataFile = path.join(own, 'data.json');
  await writeFile(dataFile, facts);
  const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
  const signal = AbortSignal.timeout(BUILD_DEADLINE_MS);
  const bytes = await buildBundle({ opaBin, folders: [base, own], signal });
  const startedAt = performance.now();
  const { policy } = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
  return {
    policy,
    openMs: Math.round(performance.now() - startedAt),
    calls: makeCalls(CALLS, tools),
    files: [...(await mainModules(base)), ...files, ...modules, dataFile],
    rules: files.length + made.length,
    dataBytes: facts.length,
    bundleBytes: bytes.byteLength,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function writeRule(own: string, { name, text }: MadeRule): Promise<string> {
  const folder = path.join(own, 'rules', name);
  const file = path.join(folder, `${name}.rego`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, `package interlock.rules.${name}\n\n${text}`);
  return file;
}
