/**
 * Publishing policy.
 *
 * V1. A bundle is accepted only with the signature of an author whom the operator certified, over these very bytes
 *     (docs/decisions/011).
 * V2. Every publishing gets a higher version; a rollback is a new version of old content.
 * V3. Bytes are written before the entry that names them, and `current` before `v-<version>`: a reader who finds a
 *     version above `current` knows that `current` is not the newest.
 * V4. Publishing repairs: an unsigned value in the bucket is overwritten, or removed with a signature.
 */
import {
  bundleKey,
  type Control,
  Fault,
  type PolicyEntry,
  type PolicyState,
  type PolicyStatus,
  policyStatusSchema,
  type SignedBundle,
  sha256,
} from '@interlock/contracts';
import { type Keyring, verifyStatement } from '@interlock/keys';
import type { Management } from './management.ts';
import { writeEntry } from './write-entry.ts';

/** The newest versions whose bytes are kept: that many of the largest bundles, 16 MiB each, fit into their bucket. */
const VERSIONS_KEPT = 10;

/** How an entry names a bundle. */
export type BundleName = Pick<PolicyEntry, 'digest' | 'bytes' | 'signature'>;

/** What the bucket `policies` has. */
export interface StoredPolicies {
  current: PolicyEntry | undefined;
  candidate: PolicyEntry | undefined;
  /** Every version that was ever current, newest first. */
  versions: PolicyEntry[];
  /** Keys whose value has no valid signature, or whose value was removed without one. */
  refused: string[];
}

/** V1: verifies a submitted bundle. Throws `bundle_unsigned`. */
export function knownBundle(
  signed: SignedBundle,
  keyring: Keyring,
  nowMs: number,
): { bundle: BundleName; content: Uint8Array } {
  const content = Buffer.from(signed.bundle, 'base64');
  const bundle = { digest: sha256(content), bytes: content.byteLength, signature: signed.signature };
  checkSignature(bundle, keyring, nowMs);
  return { bundle, content };
}

/** Throws `bundle_unsigned` unless a certified author signed a bundle of this digest and size. */
export function checkSignature(
  { digest, bytes, signature }: BundleName,
  keyring: Keyring,
  nowMs: number,
): void {
  try {
    const signed = verifyStatement(signature, 'bundle', keyring, nowMs);
    if (signed.digest === digest && signed.bytes === bytes) return;
  } catch (cause) {
    throw new Fault('bundle_unsigned', { cause });
  }
  throw new Fault('bundle_unsigned', { detail: 'The signature is over a different policy bundle.' });
}

/** Returns whether an entry's signature is still valid and its bytes are those that were signed. */
export async function isWhole(
  { bus, keyring, clock }: Management,
  entry: PolicyEntry | undefined,
): Promise<boolean> {
  if (entry === undefined) return false;
  try {
    checkSignature(entry, keyring, clock.nowMs());
  } catch {
    // The author's key expired: the same content needs a new signature.
    return false;
  }
  const bytes = await bus.blobs('bundles').get(bundleKey(entry.digest));
  return bytes !== undefined && sha256(bytes) === entry.digest;
}

/** Reads what the bucket has. */
export async function readPolicies({ bus }: Pick<Management, 'bus'>): Promise<StoredPolicies> {
  const { entries, refused } = await bus.entries('policies').survey();
  const of = (name: string) => entries.find(({ key }) => key === name)?.value;
  const versions = entries.filter(({ key }) => key.startsWith('v-')).map(({ value }) => value);
  versions.sort((one, other) => other.version - one.version);
  const current = of('current');
  const candidate = of('candidate');
  // V3: an older entry was put into its place, so it is not known which one is current.
  if (current !== undefined && current.version < (versions[0]?.version ?? 0))
    return { current: undefined, candidate, versions, refused: [...refused, 'current'] };
  return { current, candidate, versions, refused };
}

/** V2: returns the version of the next publishing. */
export function nextVersion({ current, candidate, versions }: StoredPolicies): number {
  return Math.max(0, ...[current, candidate, ...versions].map((entry) => entry?.version ?? 0)) + 1;
}

/** What is published, and what the bucket had before. */
export interface Publishing {
  as: 'current' | 'candidate';
  entry: PolicyEntry;
  before: StoredPolicies;
  /** The bundle's bytes; absent where they are kept already. */
  content?: Uint8Array;
  /** What was done, as CONTROL records it. */
  verb: Control['verb'];
}

/** V3: writes an entry that decides from now on, or a candidate that decides beside it without effect, and records it. */
export async function publish(
  management: Management,
  { as, entry, before, content, verb }: Publishing,
): Promise<void> {
  const { bus } = management;
  if (content !== undefined) await bus.blobs('bundles').put(bundleKey(entry.digest), content);
  const operation = { kind: 'policy', verb, tenant: 'all', name: `${as} v-${entry.version}`, by: entry.by };
  const { reason } = entry;
  await writeEntry(
    management,
    { bucket: 'policies', key: as, value: entry },
    { ...operation, ...(reason === undefined ? {} : { reason }) },
  );
  if (as === 'candidate') {
    await repair(management, before, ['candidate']);
    await prune(management, before, { ...before, candidate: entry });
    return;
  }
  await bus.entries('policies').put(versionKey(entry.version), entry);
  await repair(management, before, ['current', versionKey(entry.version)]);
  const after = { ...before, current: entry, versions: [entry, ...before.versions] };
  await prune(management, before, after);
  // The candidate is in force now, so it is no candidate any more.
  if (before.candidate?.digest === entry.digest) await dropCandidate(management, after, entry.by);
}

/** Removes the candidate. Throws `name_unknown` where there is none. */
export async function dropCandidate(
  management: Management,
  before: StoredPolicies,
  by: string,
): Promise<void> {
  const { candidate } = before;
  if (candidate === undefined) throw new Fault('name_unknown', { detail: 'No policy is a candidate now.' });
  const operation = {
    kind: 'policy',
    verb: 'dropped',
    tenant: 'all',
    name: `candidate v-${candidate.version}`,
    by,
  };
  await writeEntry(management, { bucket: 'policies', key: 'candidate', value: undefined }, operation);
  await prune(management, before, { ...before, candidate: undefined });
}

/** Returns the state of policy for the management API. Entries without a valid signature are left out. */
export async function policyState(management: Pick<Management, 'bus'>): Promise<PolicyState> {
  const { current, candidate, versions } = await readPolicies(management);
  const deciders = await management.bus.records('policyStatuses', policyStatusSchema).list();
  return {
    ...(current === undefined ? {} : { current }),
    ...(candidate === undefined ? {} : { candidate }),
    versions,
    deciders: deciders.map(({ value }): PolicyStatus => value),
  };
}

function versionKey(version: number): string {
  return `v-${version}`;
}

/** V4: removes what has no valid signature, and writes the version of a publishing that ended after `current`. */
async function repair(
  { bus }: Management,
  { current, versions, refused }: StoredPolicies,
  written: readonly string[],
): Promise<void> {
  const entries = bus.entries('policies');
  for (const key of refused.filter((name) => !written.includes(name) && name !== 'current'))
    await entries.remove(key);
  if (current !== undefined && !versions.some(({ version }) => version === current.version))
    await entries.put(versionKey(current.version), current);
}

/** Deletes the bytes of bundles that no kept entry names any more. */
async function prune(
  { bus }: Management,
  before: StoredPolicies,
  { current, candidate, versions }: StoredPolicies,
): Promise<void> {
  const kept = [current, candidate, ...versions.slice(0, VERSIONS_KEPT)].map((entry) => entry?.digest);
  const known = [before.current, before.candidate, ...before.versions.slice(0, VERSIONS_KEPT + 1)];
  const gone = new Set(known.map((entry) => entry?.digest).filter((digest) => !kept.includes(digest)));
  for (const digest of gone) if (digest !== undefined) await bus.blobs('bundles').remove(bundleKey(digest));
}
