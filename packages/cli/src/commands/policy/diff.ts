import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PolicyState } from '@interlock/contracts';
import { type BundleSources, buildBundle, bundleSources } from '@interlock/policy';
import {
  type Changes,
  comparePolicies,
  opaProgram,
  type PolicyComparison,
  policyFolders,
} from '@interlock/policy-analysis';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { foldersOf } from '../../folders.ts';
import { print } from '../../output.ts';
import { entryOf, isFile, readPolicyState } from '../../policy/bundles.ts';
import { versionIn } from '../../policy/version.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

const NOTES = `
A and B are each a version (7), "current", "candidate", a folder of policies, or a bundle that interlock policy build
wrote. Without B, it is the policies folder of the configuration; without A, it is the current policy.`;

/** `interlock policy diff`: which rules and data differ between two policies. */
export function diffCommand(): Command {
  return managementCommand(
    'diff',
    'show which rules and data were added, removed or changed, line by line',
    'interlock policy diff 3 4',
  )
    .argument('[a]', 'the policy before', 'current')
    .argument('[b]', 'the policy after')
    .addHelpText('after', NOTES)
    .action(runDiff);
}

async function runDiff(a: string, b: string | undefined, options: ManagementOptions): Promise<void> {
  // One folder alone is the policy after.
  const [from, to] = b === undefined && !isPublished(a) ? ['current', a] : [a, b];
  const [before, after] = await Promise.all([sourcesOf(from, options), sourcesOf(to, options)]);
  const comparison = comparePolicies(before, after);
  print(options, comparison, textOf(comparison));
}

function isPublished(name: string): boolean {
  return name === 'current' || name === 'candidate' || versionIn(name) !== undefined;
}

async function sourcesOf(name: string | undefined, options: ManagementOptions): Promise<BundleSources> {
  if (name !== undefined && isPublished(name)) {
    const client = await managementClientOf(options);
    return bundleSources(await publishedBytes(client, await readPolicyState(client), name));
  }
  if (name !== undefined && (await isFile(path.resolve(name))))
    return bundleSources(await readFile(path.resolve(name)));
  const folders = await policyFolders(name, foldersOf(options).config);
  const signal = new AbortController().signal;
  return bundleSources(await buildBundle({ opaBin: opaProgram(), folders, signal }));
}

async function publishedBytes(client: ApiClient, state: PolicyState, name: string): Promise<Uint8Array> {
  if (name !== 'candidate')
    return await client.bytes(`/v1/policy/bundles/${entryOf(state, versionIn(name) ?? 'current').digest}`);
  if (state.candidate !== undefined)
    return await client.bytes(`/v1/policy/bundles/${state.candidate.digest}`);
  throw new Failure('policy_version_unknown', 'No candidate is published.', {
    next: 'Start one with interlock policy shadow start.',
  });
}

function textOf({ rules, data, text }: PolicyComparison): string {
  if (text === '') return 'No difference.';
  const lines = [...changeLines('rule', rules), ...changeLines('data', data)];
  return `${lines.join('\n')}\n\n${text}`;
}

function changeLines(kind: string, { added, removed, changed }: Changes): string[] {
  const of = (word: string, names: readonly string[]) => names.map((name) => `${word}  ${kind} ${name}`);
  return [...of('added  ', added), ...of('removed', removed), ...of('changed', changed)];
}
