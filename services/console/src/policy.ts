/**
 * Publishing policy.
 *
 * 1. A bundle is taken only with the signature of an author the operator certifies, over these very bytes
 *    (docs/decisions/011).
 * 2. Versions grow with every publishing; a rollback is a new version of old content.
 * 3. Bytes come before the entry that names them, and `current` before `v-<version>`: whoever sees a version beyond
 *    `current` knows that `current` is not the newest.
 * 4. Publishing mends: what stands in the bucket unsigned is overwritten or signed away.
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

/** Bytes are kept for so many versions: the largest bundles of so many, 16 MiB each, with room in their bucket. */
const VERSIONS_KEPT = 10;

/** What an entry says of a bundle. */
export type BundleName = Pick<PolicyEntry, 'digest' | 'bytes' | 'signature'>;

/** Everything that stands in the bucket `policies`. */
export interface StandingPolicies {
  current: PolicyEntry | undefined;
  candidate: PolicyEntry | undefined;
  /** Every version that was ever current, newest first. */
  versions: PolicyEntry[];
  /** Keys where something stands that nobody signed, or where something was taken away. */
  refused: string[];
}

/** Verifies a submitted bundle. Throws `bundle_unsigned`. */
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
  throw new Fault('bundle_unsigned', { detail: 'The signature is for another policy bundle.' });
}

/** Returns whether an entry's signature still holds and its bytes are those that were signed. */
export async function isWhole(
  { bus, keyring, clock }: Management,
  entry: PolicyEntry | undefined,
): Promise<boolean> {
  if (entry === undefined) return false;
  try {
    checkSignature(entry, keyring, clock.nowMs());
  } catch {
    // The author's key ran out: the same content needs a new signature.
    return false;
  }
  const bytes = await bus.blobs('bundles').get(bundleKey(entry.digest));
  return bytes !== undefined && sha256(bytes) === entry.digest;
}

/** Reads what stands. */
export async function standingPolicies({ bus }: Pick<Management, 'bus'>): Promise<StandingPolicies> {
  const { entries, refused } = await bus.entries('policies').survey();
  const of = (name: string) => entries.find(({ key }) => key === name)?.value;
  const versions = entries.filter(({ key }) => key.startsWith('v-')).map(({ value }) => value);
  versions.sort((one, other) => other.version - one.version);
  const current = of('current');
  const candidate = of('candidate');
  // Somebody put an older text in its place: which one is current is then not known here.
  if (current !== undefined && current.version < (versions[0]?.version ?? 0))
    return { current: undefined, candidate, versions, refused: [...refused, 'current'] };
  return { current, candidate, versions, refused };
}

/** Returns the number of the next publishing. */
export function nextVersion({ current, candidate, versions }: StandingPolicies): number {
  return Math.max(0, ...[current, candidate, ...versions].map((entry) => entry?.version ?? 0)) + 1;
}

/** What is published, over what stands. */
export interface Publishing {
  as: 'current' | 'candidate';
  entry: PolicyEntry;
  before: StandingPolicies;
  /** The bundle's bytes; none where they are kept already. */
  content?: Uint8Array;
  /** What was done, as CONTROL tells it. */
  verb: Control['verb'];
}

/** Writes an entry that decides from now on, or that is watched beside the one that decides, and tells of it. */
export async function publish(
  management: Management,
  { as, entry, before, content, verb }: Publishing,
): Promise<void> {
  const { bus } = management;
  if (content !== undefined) await bus.blobs('bundles').put(bundleKey(entry.digest), content);
  const act = { kind: 'policy', verb, tenant: 'all', name: `${as} v-${entry.version}`, by: entry.by };
  const { reason } = entry;
  await writeEntry(
    management,
    { bucket: 'policies', key: as, value: entry },
    { ...act, ...(reason === undefined ? {} : { reason }) },
  );
  if (as === 'candidate') {
    await mend(management, before, ['candidate']);
    await prune(management, before, { ...before, candidate: entry });
    return;
  }
  await bus.entries('policies').put(versionKey(entry.version), entry);
  await mend(management, before, ['current', versionKey(entry.version)]);
  const after = { ...before, current: entry, versions: [entry, ...before.versions] };
  await prune(management, before, after);
  // A candidate that decides is none any more.
  if (before.candidate?.digest === entry.digest) await dropCandidate(management, after, entry.by);
}

/** Takes the candidate away. Throws `name_unknown` where there is none. */
export async function dropCandidate(
  management: Management,
  before: StandingPolicies,
  by: string,
): Promise<void> {
  const { candidate } = before;
  if (candidate === undefined) throw new Fault('name_unknown', { detail: 'There is no candidate.' });
  const act = {
    kind: 'policy',
    verb: 'dropped',
    tenant: 'all',
    name: `candidate v-${candidate.version}`,
    by,
  };
  await writeEntry(management, { bucket: 'policies', key: 'candidate', value: undefined }, act);
  await prune(management, before, { ...before, candidate: undefined });
}

/** Returns what the management API says of policy. Entries that nobody signed do not appear. */
export async function policyState(management: Pick<Management, 'bus'>): Promise<PolicyState> {
  const { current, candidate, versions } = await standingPolicies(management);
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

/** Signs away what counts for nothing, and writes the version of a publishing that was cut short after `current`. */
async function mend(
  { bus }: Management,
  { current, versions, refused }: StandingPolicies,
  written: readonly string[],
): Promise<void> {
  const entries = bus.entries('policies');
  for (const key of refused.filter((name) => !written.includes(name) && name !== 'current'))
    await entries.remove(key);
  if (current !== undefined && !versions.some(({ version }) => version === current.version))
    await entries.put(versionKey(current.version), current);
}

/** Gives back the room of bundles that nothing kept names any more. */
async function prune(
  { bus }: Management,
  before: StandingPolicies,
  { current, candidate, versions }: StandingPolicies,
): Promise<void> {
  const kept = [current, candidate, ...versions.slice(0, VERSIONS_KEPT)].map((entry) => entry?.digest);
  const known = [before.current, before.candidate, ...before.versions.slice(0, VERSIONS_KEPT + 1)];
  const gone = new Set(known.map((entry) => entry?.digest).filter((digest) => !kept.includes(digest)));
  for (const digest of gone) if (digest !== undefined) await bus.blobs('bundles').remove(bundleKey(digest));
}
