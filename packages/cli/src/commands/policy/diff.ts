import { readFile, stat } from 'node:fs/promises';
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
import { consoleOf, type Door } from '../../client.ts';
import { plain, print } from '../../output.ts';
import { placesOf } from '../../places.ts';
import { entryOf, readPolicyState } from '../../policy/bundles.ts';
import { versionIn } from '../../policy/version.ts';
import { type CommonOptions, command } from '../options.ts';

interface DiffOptions extends CommonOptions {
  as?: string;
}

const NOTES = `
A and B are each a version (7), "current", "candidate", a folder of policies, or a bundle that interlock policy build
wrote. B left out is the folder of the configuration; A left out is the current policy.`;

/** `interlock policy diff`: which rules and data differ between two policies. */
export function diffCommand(): Command {
  return command(
    'diff',
    'tell which rules and data were added, removed or changed, line by line',
    'interlock policy diff 3 4',
  )
    .argument('[a]', 'what was', 'current')
    .argument('[b]', 'what is to be')
    .option('--as <person>', 'who asks')
    .addHelpText('after', NOTES)
    .action(runDiff);
}

async function runDiff(a: string, b: string | undefined, options: DiffOptions): Promise<void> {
  // One folder alone is what is to be.
  const [from, to] = b === undefined && !isPublished(a) ? ['current', a] : [a, b];
  const [before, after] = await Promise.all([sourcesOf(from, options), sourcesOf(to, options)]);
  const comparison = comparePolicies(before, after);
  print(options, comparison, plain(textOf(comparison)));
}

function isPublished(name: string): boolean {
  return name === 'current' || name === 'candidate' || versionIn(name) !== undefined;
}

async function sourcesOf(name: string | undefined, options: DiffOptions): Promise<BundleSources> {
  if (name !== undefined && isPublished(name)) {
    const door = await consoleOf(options);
    return bundleSources(await publishedBytes(door, await readPolicyState(door), name));
  }
  if (name !== undefined && (await isFile(path.resolve(name))))
    return bundleSources(await readFile(path.resolve(name)));
  const folders = await policyFolders(name, placesOf(options).config);
  const signal = new AbortController().signal;
  return bundleSources(await buildBundle({ opaBin: opaProgram(), folders, signal }));
}

async function publishedBytes(door: Door, state: PolicyState, name: string): Promise<Uint8Array> {
  if (name !== 'candidate')
    return await door.bytes(`/v1/policy/bundles/${entryOf(state, versionIn(name) ?? 'current').digest}`);
  if (state.candidate !== undefined) return await door.bytes(`/v1/policy/bundles/${state.candidate.digest}`);
  throw new Failure('policy_version_unknown', 'There is no candidate.', {
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

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch {
    // What is not there is told by whoever looks for a folder.
    return false;
  }
}
