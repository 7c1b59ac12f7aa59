/** Policies that can be evaluated here: a candidate from a folder or a file, and those that were published. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type PolicyEntry, type PolicyState, policyStateSchema, sha256 } from '@interlock/contracts';
import { buildBundle, type LoadedPolicy, openBundle, verifyBundle } from '@interlock/policy';
import { displayPath, opaProgram, policyFolders } from '@interlock/policy-analysis';
import { Failure, loadKeyring, systemClock } from '@interlock/shell';
import type { ApiClient } from '../client.ts';
import { readContext } from '../context.ts';
import { type FolderOptions, foldersOf } from '../folders.ts';

/** A policy that was published and can be evaluated here. */
export interface PublishedBundle {
  held: LoadedPolicy;
  entry: PolicyEntry;
  bytes: Uint8Array;
  /** Whether the author's signature was verified: that takes the operator's root key, which not every machine has. */
  signature: 'verified' | 'no keyring here';
}

/** A policy that was not published. */
export interface CandidateBundle {
  held: LoadedPolicy;
  bytes: Uint8Array;
  /** The folder or file it was made of. */
  source: string;
}

/**
 * Opens a candidate: a folder of policies, which is compiled, or a bundle that `interlock policy build` wrote; by default
 * the policies of the configuration.
 */
export async function openCandidate(
  source: string | undefined,
  options: FolderOptions,
  signal: AbortSignal,
): Promise<CandidateBundle> {
  const { config } = foldersOf(options);
  const isBundle = source !== undefined && (await isFile(path.resolve(source)));
  const folders = isBundle ? [] : await policyFolders(source, config);
  const bytes = isBundle
    ? await readFile(path.resolve(source))
    : await buildBundle({ opaBin: opaProgram(), folders, signal });
  const held = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
  return { held, bytes, source: displayPath(isBundle ? path.resolve(source) : (folders.at(-1) ?? config)) };
}

/** Reads what is published. */
export async function readPolicyState(client: ApiClient): Promise<PolicyState> {
  return await client.request({ method: 'GET', path: '/v1/policy', reply: policyStateSchema });
}

/** Returns the entry of a version, or of the policy in force. Throws `policy_version_unknown`. */
export function entryOf({ current, versions }: PolicyState, wanted: 'current' | number): PolicyEntry {
  const found = wanted === 'current' ? current : versions.find(({ version }) => version === wanted);
  if (found !== undefined) return found;
  const name = wanted === 'current' ? 'No policy is in force.' : `Version ${wanted} does not exist.`;
  throw new Failure('policy_version_unknown', name, { next: 'See interlock policy status.' });
}

/** Returns the entry of a bundle's digest; undefined when the bundle is no longer kept. */
export function entryOfDigest(
  { current, candidate, versions }: PolicyState,
  digest: string,
): PolicyEntry | undefined {
  return [current, candidate, ...versions].find((entry) => entry?.digest === digest);
}

/**
 * Fetches the bytes of an entry and opens them. Throws `statement_invalid` where they are not the author's, and
 * `configuration_invalid` where they are not those the entry names.
 */
export async function openPublished(
  client: ApiClient,
  entry: PolicyEntry,
  options: FolderOptions,
): Promise<PublishedBundle> {
  const bytes = await client.bytes(`/v1/policy/bundles/${entry.digest}`);
  const held = openBundle(entry, bytes);
  const keyring = await keyringOf(options);
  if (keyring === undefined) return { held, entry, bytes, signature: 'no keyring here' };
  verifyBundle(entry.signature, keyring, bytes, systemClock.nowMs());
  return { held, entry, bytes, signature: 'verified' };
}

/** The operator signed the keyring: without the root key it proves nothing. */
async function keyringOf(options: FolderOptions) {
  const { trust } = await readContext(foldersOf(options).data);
  return trust === undefined ? undefined : await loadKeyring(trust);
}

/** Tells whether a path names a file. */
export async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch {
    // It is looked for as a folder next, and a missing one is reported there.
    return false;
  }
}
