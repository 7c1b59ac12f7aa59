/**
 * Reads a configuration folder: `tools/*.yaml`, `agents/*.yaml`, `people.yaml`, `limits.yaml`, `approvals.yaml`
 * and `policies/`. Every file is read before mistakes are reported, so that all can be corrected at once; then the names
 * in one file are looked up in the others.
 */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type AgentFile,
  type ApprovalsEntry,
  agentFileSchema,
  approvalsFileSchema,
  type ConfiguredPerson,
  type LimitsEntry,
  limitsFileSchema,
  peopleFileSchema,
  type ToolFile,
} from '@interlock/contracts';
import { DATA_FILES, describeRules, exists } from '@interlock/policy';
import {
  BASE_POLICIES,
  checkFolder,
  type DataFile,
  type Finding,
  type KnownSchemas,
  opaProgram,
  type RegoFile,
} from '@interlock/policy-analysis';
import { type Environment, Failure, processEnvironment } from '@interlock/shell';
import { z } from 'zod';
import { checkedToolFileSchema, withFullPaths } from './local-paths.ts';
import { type ConfigurationIssue, type IssueAt, type Read, readYaml } from './yaml-file.ts';

/** Where keys are, unless another data folder is named. */
const DATA = '.interlock';
const FILES_MAX = 1_000;
const YAML = /\.ya?ml$/;
/** What looks like data of the policy. */
const DATA_FILE = /^data\.(ya?ml|json)$/;
const REGO = /(?<!_test)\.rego$/;
/** A catalogue of prices is data too; a bundle takes no more. */
const DATA_LENGTH_MAX = 16 * 1_048_576;
/** Reading the METADATA of thousands of rules takes seconds. */
const DESCRIBE_DEADLINE_MS = 60_000;

/** A configuration folder, read and checked. */
export interface LoadedConfiguration {
  folder: string;
  tools: ToolFile[];
  agents: AgentFile[];
  people: ConfiguredPerson[];
  limits: LimitsEntry | undefined;
  approvals: ApprovalsEntry | undefined;
  /** Folder of the policies; it may be missing. */
  policies: string;
  /** True where the policies have rules of their own, besides those that come with Interlock. */
  hasOwnRules: boolean;
  /** What is written in it and can only refuse calls. */
  warnings: readonly ConfigurationIssue[];
  /** Returns what is wrong too once it is known which arguments the tools of MCP servers have. */
  checkWith: (schemas: KnownSchemas) => FoundIssues;
  /** Returns the issue at a place of the file that a tool of `tools` comes from. */
  toolIssue: (index: number, where: Pick<Finding, 'path' | 'isKey' | 'text'>) => ConfigurationIssue;
}

export interface FoundIssues {
  refused: ConfigurationIssue[];
  warnings: ConfigurationIssue[];
}

/** Returns an issue as one line: file, line, column, JSON Pointer, and what is wrong. */
export function issueText({ file, line, column, pointer, expected }: ConfigurationIssue): string {
  return `${file}:${line}:${column}: ${pointer === '' ? '' : `${pointer}: `}${expected}`;
}

/** The mistakes of a configuration, each with file, line, column, JSON Pointer and what was expected. */
export class ConfigurationFailure extends Failure {
  readonly issues: readonly ConfigurationIssue[];

  constructor(issues: readonly ConfigurationIssue[]) {
    super('configuration_invalid', issues.map(issueText).join('\n  '), {
      next: 'Correct the files and repeat the command. Nothing was started or changed.',
    });
    this.issues = issues;
  }
}

/** Reads a configuration folder; no local server may see the data folder. Throws `ConfigurationFailure`, or `configuration_missing` where there is none. */
export async function loadConfiguration(
  folder: string,
  data: string = path.join(folder, DATA),
  env: Environment = processEnvironment(),
): Promise<LoadedConfiguration> {
  const names = await namesIn(folder);
  if (names === undefined || !names.includes('people.yaml')) throw configurationMissing(folder);
  const reader = new FolderReader(folder);
  const people = await reader.one('people.yaml', peopleFileSchema);
  const limits = await reader.one('limits.yaml', limitsFileSchema);
  const approvals = await reader.one('approvals.yaml', approvalsFileSchema);
  const tools = await reader.all('tools', (value) =>
    checkedToolFileSchema(value, { config: path.resolve(folder), data }),
  );
  const agents = await reader.all('agents', () => agentFileSchema);
  reader.requireUnique(tools, (tool) => ('mcp' in tool ? `server ${tool.mcp.server}` : `tool ${tool.name}`));
  reader.requireUnique(agents, ({ tenant, agent }) => `agent ${tenant}/${agent}`);
  const policies = path.join(folder, 'policies');
  const settings = await reader.dataIn('policies');
  if (reader.issues.length > 0 || people === undefined) throw new ConfigurationFailure(reader.issues);
  const own = await ownRules(policies);
  const contents = {
    tools: tools.map(({ name, value }) => ({ file: name, tool: value })),
    agents: agents.map(({ value }) => value),
    ...{ people: people.people, limits, approvals, data: settings },
    ...{ rules: await rulesFor(policies, settings, env), ownRules: own },
  };
  const checkWith = (schemas: KnownSchemas) => reader.together(checkFolder({ ...contents, schemas }));
  const { refused, warnings } = checkWith(new Map());
  if (refused.length > 0) throw new ConfigurationFailure(refused);
  return {
    folder,
    tools: tools.map(({ value }) => withFullPaths(value, path.resolve(folder))),
    agents: agents.map(({ value }) => value),
    people: people.people,
    limits: limits === undefined ? undefined : { limits: limits.limits },
    approvals: approvals === undefined ? undefined : withoutSchema(approvals),
    policies,
    hasOwnRules: own.length > 0,
    warnings,
    checkWith,
    toolIssue: (index, where) => reader.issueOf({ file: tools[index]?.name ?? 'tools', ...where }),
  };
}

/** Returns the failure of a command whose folder is no configuration. */
export function configurationMissing(folder: string): Failure {
  return new Failure(
    'configuration_missing',
    `${folder} is not a configuration folder: it has no people.yaml.`,
    {
      next: 'Name a configuration folder with --config, or make one with interlock init DIR.',
    },
  );
}

/** Returns what is known of the rules whose settings are in the data; without data nobody needs to know. */
async function rulesFor(policies: string, data: readonly DataFile[], env: Environment) {
  if (data.length === 0) return [];
  const signal = AbortSignal.timeout(DESCRIBE_DEADLINE_MS);
  const folders = [BASE_POLICIES, policies];
  const rules = await Promise.all(
    folders.map((folder) => describeRules({ opaBin: opaProgram(env), folder, signal })),
  );
  return rules.flat();
}

/** Returns each file of the user's own rules. */
async function ownRules(policies: string): Promise<RegoFile[]> {
  if (!(await exists(policies))) return [];
  const names = await readdir(policies, { recursive: true });
  return await Promise.all(
    names
      .filter((name) => REGO.test(name))
      .sort()
      .map(async (name) => ({
        file: `policies/${name}`,
        text: await readFile(path.join(policies, name), 'utf8'),
      })),
  );
}

interface Found<T> {
  name: string;
  value: T;
}

/** Reads the files of one folder and collects their mistakes. */
class FolderReader {
  readonly issues: ConfigurationIssue[] = [];
  readonly #folder: string;
  readonly #places = new Map<string, IssueAt>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async one<S extends z.ZodType>(name: string, schema: S): Promise<z.output<S> | undefined> {
    const file = path.join(this.#folder, name);
    if (!(await exists(file))) return undefined;
    return this.#keep(name, await readYaml(file, name, () => schema));
  }

  async all<S extends z.ZodType>(
    folder: string,
    schemaFor: (value: unknown) => S,
  ): Promise<Found<z.output<S>>[]> {
    const names = (await namesIn(path.join(this.#folder, folder))) ?? [];
    const files = names.filter((name) => YAML.test(name)).map((name) => `${folder}/${name}`);
    if (files.length > FILES_MAX) this.#add(folder, `at most ${FILES_MAX} files`);
    const found: Found<z.output<S>>[] = [];
    for (const name of files.slice(0, FILES_MAX)) {
      const value = this.#keep(name, await readYaml(path.join(this.#folder, name), name, schemaFor));
      if (value !== undefined) found.push({ name, value });
    }
    return found;
  }

  /** Returns `config` of the policy's data. Data that no bundle has is refused: it would limit nothing. */
  async dataIn(folder: string): Promise<DataFile[]> {
    const root = path.join(this.#folder, folder);
    if (!(await exists(root))) return [];
    const names = (await readdir(root, { recursive: true })).filter((name) =>
      DATA_FILE.test(path.basename(name)),
    );
    const found: DataFile[] = [];
    for (const inside of names.sort()) {
      const file = `${folder}/${inside}`;
      if (!DATA_FILES.includes(inside)) {
        const parts = DATA_FILES.map((name) => `${folder}/${name}`).join(' and ');
        this.#add(file, `another place for this data: only ${parts} are part of the policy`);
        continue;
      }
      const read = await readYaml(path.join(root, inside), file, () => z.json(), DATA_LENGTH_MAX);
      const value = this.#keep(file, read);
      if (value === undefined) continue;
      const config = typeof value === 'object' && value !== null && 'config' in value ? value['config'] : {};
      found.push({ file, config });
    }
    return found;
  }

  /** Returns findings with their places, those that are refused apart from those that are warned about. */
  together(findings: readonly Finding[]): FoundIssues {
    return {
      refused: findings.filter(({ refused }) => refused).map((finding) => this.issueOf(finding)),
      warnings: findings.filter(({ refused }) => !refused).map((finding) => this.issueOf(finding)),
    };
  }

  issueOf({ file, path: where, isKey, text, at }: Omit<Finding, 'refused'>): ConfigurationIssue {
    const nowhere = { file, ...(at ?? { line: 1, column: 1 }), pointer: '', expected: text };
    return this.#places.get(file)?.(where, isKey, text) ?? nowhere;
  }

  #keep<T>(name: string, read: Read<T>): T | undefined {
    this.issues.push(...read.issues);
    if (read.value === undefined) return undefined;
    if ('issueAt' in read) this.#places.set(name, read.issueAt);
    return read.value;
  }

  requireUnique<T>(found: readonly Found<T>[], nameOf: (value: T) => string): void {
    const files = new Map<string, string>();
    for (const { name: file, value } of found) {
      const name = nameOf(value);
      const other = files.get(name);
      if (other !== undefined) this.#add(file, `another name: ${other} already defines the ${name}`);
      files.set(name, file);
    }
  }

  #add(file: string, expected: string): void {
    this.issues.push({ file, line: 1, column: 1, pointer: '', expected });
  }
}

function withoutSchema<T extends { $schema?: string | undefined }>({ $schema: _schema, ...value }: T) {
  return value;
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  return (await exists(folder)) ? (await readdir(folder)).sort() : undefined;
}
