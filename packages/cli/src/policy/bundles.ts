/** Policies to ask: a candidate from a folder or a file, and those that were published. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type PolicyEntry, type PolicyState, policyStateSchema, sha256 } from '@interlock/contracts';
import { buildBundle, type HeldPolicy, openBundle, verifyBundle } from '@interlock/policy';
import { opaProgram, policyFolders } from '@interlock/policy-analysis';
import { Failure, loadKeyring, readOperator, systemClock } from '@interlock/shell';
import type { Door } from '../client.ts';
import { readIfThere } from '../context.ts';
import { dataFiles, type PlaceOptions, placesOf } from '../places.ts';

/** A policy that was published, as it can be asked here. */
export interface HeldBundle {
  held: HeldPolicy;
  entry: PolicyEntry;
  bytes: Uint8Array;
  /** Whether the author's signature was verified with the operator's keyring of the data folder. */
  signature: 'verified' | 'no keyring here';
}

/** Opens a candidate: a folder of policies, which is compiled, or a bundle that `interlock policy build` wrote. */
export async function openCandidate(
  place: string,
  options: PlaceOptions,
  signal: AbortSignal,
): Promise<HeldPolicy> {
  const bytes = (await isFile(path.resolve(place)))
    ? await readFile(path.resolve(place))
    : await buildBundle({
        opaBin: opaProgram(),
        folders: await policyFolders(place, placesOf(options).config),
        signal,
      });
  return openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
}

/** Reads what is published. */
export async function readPolicyState(door: Door): Promise<PolicyState> {
  return await door.ask({ method: 'GET', path: '/v1/policy', reply: policyStateSchema });
}

/** Returns the entry of a version, or of what decides now. Throws `policy_version_unknown`. */
export function entryOf({ current, versions }: PolicyState, wanted: 'current' | number): PolicyEntry {
  const found = wanted === 'current' ? current : versions.find(({ version }) => version === wanted);
  if (found !== undefined) return found;
  const name = wanted === 'current' ? 'No policy decides now.' : `There is no version ${wanted}.`;
  throw new Failure('policy_version_unknown', name, { next: 'See interlock policy status.' });
}

/** Returns the entry of a bundle's digest; undefined where no such bundle is known any more. */
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
  door: Door,
  entry: PolicyEntry,
  options: PlaceOptions,
): Promise<HeldBundle> {
  const bytes = await door.bytes(`/v1/policy/bundles/${entry.digest}`);
  const held = openBundle(entry, bytes);
  const keyring = await keyringOf(options);
  if (keyring === undefined) return { held, entry, bytes, signature: 'no keyring here' };
  verifyBundle(entry.signature, keyring, bytes, systemClock.nowMs());
  return { held, entry, bytes, signature: 'verified' };
}

/** The keyring is believed because the operator signed it; a machine without the operator's key cannot tell. */
async function keyringOf(options: PlaceOptions) {
  const { operator, keyring } = dataFiles(placesOf(options).data);
  const text = await readIfThere(operator);
  if (text === undefined || (await readIfThere(keyring)) === undefined) return undefined;
  return await loadKeyring({ keyringFile: keyring, rootKey: readOperator(text).rootKey });
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch {
    // What is not there is told by whoever looks for a folder.
    return false;
  }
}
