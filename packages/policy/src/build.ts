import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Fault, policyInputSchema } from '@interlock/contracts';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { BUNDLE_MAX_BYTES } from './bundle.ts';
import { exists, namesIn } from './files.ts';
import { withAllowedFunctions } from './functions.ts';
import { opa } from './opa.ts';
import { ENTRYPOINTS } from './rego.ts';
import { writtenOut } from './written-out.ts';

/** Compiling a hundred rules takes about two seconds; a loaded machine gets more. */
const BUILD_DEADLINE_MS = 60_000;
/** A thousand rules with room to spare. */
const FILES_MAX = 5_000;
const BUNDLE_NAME = 'bundle.tar.gz';
const SCHEMA_NAME = 'input.schema.json';
const CAPABILITIES_NAME = 'capabilities.json';
/** Not the index of a folder: these files are compiled, and are the source of none of the folders. */
const WRITTEN_OUT = 'written-out';
const MAIN_MODULE = 'interlock.main';
const RULE_MODULE = /^interlock\.rules\.(.+)$/;
/** The name of a rule is also the name of its folder and its package. */
const RULE_NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** The data of a policy folder: no other file of it is data. */
export const DATA_FILES: readonly string[] = ['data.yaml', 'data.json'];

export interface BundleOptions {
  /** The `opa` program. */
  opaBin: string;
  /** Policy folders, the base first: each may have `main/`, `rules/<name>/` and `data.yaml` or `data.json`. */
  folders: string[];
  signal: AbortSignal;
}

/**
 * Builds the bundle that a decider loads: every rule of every folder and their data, compiled to WebAssembly.
 * A folder that does not exist adds nothing.
 * Throws `configuration_invalid` with file and line when a rule or data is wrong.
 */
export async function buildBundle({ opaBin, folders, signal }: BundleOptions): Promise<Uint8Array> {
  const sources = await collect(folders);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(BUILD_DEADLINE_MS)]);
  const scratch = await mkdtemp(path.join(tmpdir(), 'interlock-policy-'));
  try {
    const staged = await stage(sources, scratch);
    const names = staged.map(({ name }) => name);
    const run = (...argv: string[]) =>
      opa({
        opaBin,
        argv,
        folder: scratch,
        withPaths: (errors) => withPaths(errors, folders),
        signal: deadline,
      });
    await writeFile(path.join(scratch, SCHEMA_NAME), inputSchema());
    await writeFile(
      path.join(scratch, CAPABILITIES_NAME),
      withAllowedFunctions(await run('capabilities', '--current')),
    );
    const limits = ['--schema', SCHEMA_NAME, '--capabilities', CAPABILITIES_NAME];
    await run('check', '--strict', ...limits, ...names);
    const entrypoints = Object.values(ENTRYPOINTS).flatMap((entrypoint) => ['-e', entrypoint]);
    await run('build', '-t', 'wasm', ...entrypoints, '-o', BUNDLE_NAME, ...(await writeOut(staged, scratch)));
    const bytes = await readFile(path.join(scratch, BUNDLE_NAME), { signal: deadline });
    if (bytes.byteLength > BUNDLE_MAX_BYTES)
      throw invalid(`The bundle has ${bytes.byteLength} bytes; deciders accept at most ${BUNDLE_MAX_BYTES}.`);
    return bytes;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Source {
  /** Index of its folder. */
  folderIndex: number;
  /** Path of the file, and the same path inside its folder. */
  file: string;
  inside: string;
  /** The package of a Rego file; absent for data. */
  module: string | undefined;
}

interface Staged {
  name: string;
  module: string | undefined;
}

/**
 * Copies the sources to `<folder's index>/<path inside>` and returns these names. A bundle contains the names of its
 * sources: so the same policy has the same digest in any folder, and no name is taken for an option.
 */
async function stage(sources: Source[], scratch: string): Promise<Staged[]> {
  const staged: Staged[] = [];
  for (const { folderIndex, file, inside, module } of sources) {
    const name = `${folderIndex}/${inside.split(path.sep).join('/')}`;
    await mkdir(path.dirname(path.join(scratch, name)), { recursive: true });
    await copyFile(file, path.join(scratch, name));
    staged.push({ name, module });
  }
  return staged;
}

/** Writes out the walks of `main` beside the sources and returns the names of the files to compile. */
async function writeOut(staged: Staged[], scratch: string): Promise<string[]> {
  const textOf = (name: string) => readFile(path.join(scratch, name), 'utf8');
  const rules = new Map<string, string>();
  for (const { name, module } of staged) {
    const [, rule] = RULE_MODULE.exec(module ?? '') ?? [];
    if (rule !== undefined) rules.set(rule, `${rules.get(rule) ?? ''}${await textOf(name)}`);
  }
  const names: string[] = [];
  for (const { name, module } of staged) {
    const text = module === MAIN_MODULE ? await textOf(name) : '';
    const written = writtenOut(text, rules);
    if (written === text) names.push(name);
    else {
      const target = `${WRITTEN_OUT}/${name}`;
      await mkdir(path.dirname(path.join(scratch, target)), { recursive: true });
      await writeFile(path.join(scratch, target), written);
      names.push(target);
    }
  }
  return names;
}

/** Returns the files of all folders that make up the policy, without tests and other files. */
async function collect(folders: string[]): Promise<Source[]> {
  const owners = new Map<string, string>();
  const sources: Source[] = [];
  for (const [folderIndex, folder] of folders.entries()) {
    for (const { file, module } of await filesOf(folder)) {
      if (module === undefined) await checkData(file);
      else await checkModule(file, module, folder, owners);
      sources.push({ folderIndex, file, inside: path.relative(folder, file), module });
    }
  }
  if (!owners.has(MAIN_MODULE)) throw invalid('None of the policy folders has main/main.rego.');
  if (sources.length > FILES_MAX) throw invalid(`There are more than ${FILES_MAX} policy files.`);
  return sources;
}

interface PolicyFile {
  file: string;
  /** The package a Rego file must declare; absent for data. */
  module?: string;
}

async function filesOf(folder: string): Promise<PolicyFile[]> {
  const files: PolicyFile[] = [];
  for (const name of DATA_FILES) {
    const file = path.join(folder, name);
    if (await exists(file)) files.push({ file });
  }
  files.push(...(await modulesIn(path.join(folder, 'main'), MAIN_MODULE)));
  for (const rule of await namesIn(path.join(folder, 'rules'))) {
    const ruleFolder = path.join(folder, 'rules', rule);
    if (!(await stat(ruleFolder)).isDirectory())
      throw invalid(`${ruleFolder}: expected a folder with the files of one rule.`);
    if (!RULE_NAME.test(rule)) throw invalid(`${ruleFolder}: the name of a rule consists of a-z, 0-9 and _.`);
    files.push(...(await modulesIn(ruleFolder, `interlock.rules.${rule}`)));
  }
  return files;
}

async function modulesIn(folder: string, module: string): Promise<PolicyFile[]> {
  const names = await namesIn(folder);
  return names
    .filter((name) => name.endsWith('.rego') && !name.endsWith('_test.rego'))
    .map((name) => ({ file: path.join(folder, name), module }));
}

/**
 * Checks that a file declares the package of its folder, and that no other policy folder declares it too: a rule can
 * neither replace another nor change how rules are composed.
 */
async function checkModule(
  file: string,
  module: string,
  folder: string,
  owners: Map<string, string>,
): Promise<void> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  const first = lines.findIndex((line) => !/^\s*(#.*)?$/.test(line));
  const declared = lines[first]?.trim() ?? 'nothing';
  if (declared !== `package ${module}`)
    throw invalid(`${file}:${first + 1}: expected "package ${module}", found "${declared.slice(0, 200)}".`);
  const owner = owners.get(module) ?? folder;
  if (owner !== folder) throw invalid(`${file}:${first + 1}: ${owner} already has a package "${module}".`);
  owners.set(module, folder);
}

/** Checks that data is an object without `interlock`: data there would replace rules. */
async function checkData(file: string): Promise<void> {
  const document = readData(file, await readFile(file, 'utf8'));
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalid(`${file}:1: expected a mapping, such as "config:".`);
  if ('interlock' in document)
    throw invalid(`${file}: "interlock" is reserved for the rules. Give the data another name.`);
}

function readData(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof YAMLParseError)) throw cause;
    const line = cause.linePos?.[0].line ?? 1;
    throw new Fault('configuration_invalid', { detail: `${file}:${line}: ${cause.message}`, cause });
  }
}

/**
 * The schema of the input in the draft that OPA reads. It gives opa every name and type: for `anyOf` opa accepts the
 * names of all alternatives, and for a map any value.
 */
function inputSchema(): string {
  return JSON.stringify(z.toJSONSchema(policyInputSchema, { target: 'draft-7', io: 'output' }));
}

/** Replaces the names of staged files in errors of opa by the user's paths, and explains what opa calls undefined. */
function withPaths(errors: string, folders: string[]): string {
  return errors
    .replaceAll(/(?<![\w/.])(\d+)\/(?=main\/|rules\/|data\.)/g, (name, index: string) => {
      const folder = folders[Number(index)];
      return folder === undefined ? name : `${folder}${path.sep}`;
    })
    .replaceAll(/undefined function (\S+)/g, 'undefined function $1 (policies cannot call it)');
}

function invalid(detail: string): Fault {
  return new Fault('configuration_invalid', { detail });
}
