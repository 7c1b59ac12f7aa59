/**
 * Reads a configuration folder: `tools/*.yaml`, `agents/*.yaml`, `people.yaml`, `limits.yaml`, `approvals.yaml`
 * and `policies/`. Every file is read before mistakes are reported, so that all can be corrected at once.
 */

import { readdir } from 'node:fs/promises';
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
import { exists } from '@interlock/policy';
import { Failure } from '@interlock/shell';
import type { z } from 'zod';
import { checkedToolFileSchema, withFullPaths } from './local-paths.ts';
import { type ConfigurationIssue, readYaml } from './yaml-file.ts';

/** Where keys are, unless another data folder is named. */
const DATA = '.interlock';
const FILES_MAX = 1_000;
const YAML = /\.ya?ml$/;

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
}

/** The mistakes of a configuration, each with file, line, column, JSON Pointer and what was expected. */
export class ConfigurationFailure extends Failure {
  readonly issues: readonly ConfigurationIssue[];

  constructor(issues: readonly ConfigurationIssue[]) {
    const lines = issues.map(
      ({ file, line, column, pointer, expected }) =>
        `${file}:${line}:${column}: ${pointer === '' ? '' : `${pointer}: `}${expected}`,
    );
    super('configuration_invalid', lines.join('\n  '), {
      next: 'Correct the files and repeat the command. Nothing was started or changed.',
    });
    this.issues = issues;
  }
}

/** Reads a configuration folder; no local server may see the data folder. Throws `ConfigurationFailure`, or `configuration_missing` where there is none. */
export async function loadConfiguration(
  folder: string,
  data: string = path.join(folder, DATA),
): Promise<LoadedConfiguration> {
  const names = await namesIn(folder);
  if (names === undefined || !names.includes('people.yaml'))
    throw new Failure(
      'configuration_missing',
      `${folder} is not a configuration folder: it has no people.yaml.`,
      {
        next: 'Name a configuration folder with --config, or make one with interlock init DIR.',
      },
    );
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
  if (reader.issues.length > 0 || people === undefined) throw new ConfigurationFailure(reader.issues);
  return {
    folder,
    tools: tools.map(({ value }) => withFullPaths(value, path.resolve(folder))),
    agents: agents.map(({ value }) => value),
    people: people.people,
    limits: limits === undefined ? undefined : { limits: limits.limits },
    approvals: approvals === undefined ? undefined : withoutSchema(approvals),
    policies: path.join(folder, 'policies'),
  };
}

interface Found<T> {
  name: string;
  value: T;
}

/** Reads the files of one folder and collects their mistakes. */
class FolderReader {
  readonly issues: ConfigurationIssue[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async one<S extends z.ZodType>(name: string, schema: S): Promise<z.output<S> | undefined> {
    const file = path.join(this.#folder, name);
    if (!(await exists(file))) return undefined;
    const { value, issues } = await readYaml(file, name, () => schema);
    this.issues.push(...issues);
    return value;
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
      const { value, issues } = await readYaml(path.join(this.#folder, name), name, schemaFor);
      this.issues.push(...issues);
      if (value !== undefined) found.push({ name, value });
    }
    return found;
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
