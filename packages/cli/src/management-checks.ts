/** What `interlock doctor` asks the console: policy, limits, approvals, credentials. */
import { settingsSchema, type Tool } from '@interlock/contracts';
import { failureOf } from '@interlock/shell';
import type { Check } from './check.ts';
import type { ApiClient } from './client.ts';

import { setCredentials, unsetCredentials } from './credential-check.ts';
import { issueText, type LoadedConfiguration } from './load-configuration.ts';
import { readPolicyState } from './policy/bundles.ts';
import { listTools } from './tools.ts';

const APPLY = 'Write it, and apply the configuration: interlock apply.';

/** Returns what is wrong with what was applied. `loaded` is the configuration of this machine, where it can be read. */
export async function checkApplied(
  client: ApiClient,
  loaded: LoadedConfiguration | undefined,
): Promise<Check[]> {
  const checks = await Promise.all([
    each('policy', async () => [await checkPolicy(client)]),
    each('limits, approvals', () => checkSettings(client)),
    each('credentials, arguments', async () => await checkTools(client, loaded)),
  ]);
  return checks.flat();
}

/** What is thrown is what was found. */
async function each(check: string, run: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await run();
  } catch (error) {
    const { detail, next } = failureOf(error);
    return [{ check, ok: false, found: detail, ...(next === undefined ? {} : { next }) }];
  }
}

async function checkPolicy(client: ApiClient): Promise<Check> {
  const check = 'policy';
  const { current, deciders } = await readPolicyState(client);
  if (current === undefined)
    return {
      ...{ check, ok: false, found: 'none is in force: every call is refused' },
      next: 'Publish one with interlock apply.',
    };
  const { version } = current;
  const rejected = deciders.flatMap(({ replica, rejected: all }) =>
    all.filter((one) => one.as === 'current').map(({ detail }) => `${replica}: ${detail}`),
  );
  if (rejected.length > 0)
    return {
      ...{ check, ok: false, found: `version ${version} was rejected. ${rejected.join(' ')}` },
      next: 'Publish a corrected policy, or go back: interlock policy rollback. A decider that starts now uses none.',
    };
  const others = deciders.filter((one) => one.current?.version !== version);
  if (deciders.length === 0 || others.length > 0)
    return {
      check,
      ok: false,
      found:
        deciders.length === 0
          ? `no decider has sent its status about version ${version}`
          : `${others.map(({ replica }) => replica).join(', ')} does not use version ${version}`,
      next: 'Deciders take a new version within seconds. See interlock policy status and interlock logs decider.',
    };
  return { check, ok: true, found: `version ${version}, used by ${deciders.length} deciders` };
}

async function checkSettings(client: ApiClient): Promise<Check[]> {
  const { limits, approvals } = await client.request({
    method: 'GET',
    path: '/v1/settings',
    reply: settingsSchema,
  });
  const missing = (check: string): Check => ({
    ...{ check, ok: false, found: 'none were ever applied: calls that need them are answered with 503' },
    next: `The configuration has no ${check}.yaml. ${APPLY}`,
  });
  return [
    limits === undefined
      ? missing('limits')
      : { check: 'limits', ok: true, found: `${limits.limits.length} limits` },
    approvals === undefined
      ? missing('approvals')
      : {
          check: 'approvals',
          ok: true,
          found: `people with one of the roles ${approvals.roles.join(', ')} are asked`,
        },
  ];
}

async function checkTools(client: ApiClient, loaded: LoadedConfiguration | undefined): Promise<Check[]> {
  const tools = await listTools(client);
  return [
    checkCredentials(tools, await setCredentials(client), loaded),
    ...(loaded === undefined ? [] : checkArguments(tools, loaded)),
  ];
}

function checkCredentials(
  tools: readonly Tool[],
  set: ReadonlySet<string>,
  loaded: LoadedConfiguration | undefined,
): Check {
  const check = 'credentials';
  const inFiles = loaded === undefined ? [] : unsetCredentials(loaded, set);
  const isInFile = (name: string, tool: string) =>
    inFiles.some((unset) => unset.credential === name && unset.tools.includes(tool));
  const missing = new Map<string, string[]>();
  for (const { name, credential } of tools)
    for (const use of credential)
      if (!set.has(use.name) && !isInFile(use.name, name))
        missing.set(use.name, [...(missing.get(use.name) ?? []), name]);
  const names = new Set([...missing.keys(), ...inFiles.map(({ credential }) => credential)]);
  if (names.size === 0) return { check, ok: true, found: `${set.size} set; no tool lacks one` };
  const applied = [...missing].map(
    ([name, users]) => `nobody has set ${name}: ${users.join(', ')} cannot be called`,
  );
  return {
    ...{ check, ok: true, found: [...applied, ...inFiles.map(({ issue }) => issueText(issue))].join('; ') },
    next: `Set them: ${[...names].map((name) => `interlock credential set ${name}`).join(', ')}.`,
  };
}

/** The schemas of MCP tools are known from what was applied. */
function checkArguments(tools: readonly Tool[], loaded: LoadedConfiguration): Check[] {
  const applied = tools.filter(({ target }) => target.kind === 'mcp');
  const schemas = new Map(applied.map(({ name, inputSchema }) => [name, inputSchema]));
  const { refused } = loaded.checkWith(schemas);
  if (refused.length === 0) return [];
  const found = refused.map(issueText).join('; ');
  return [
    {
      check: 'arguments of MCP tools',
      ok: false,
      found,
      next: 'Correct the files. apply and up refuse them.',
    },
  ];
}
