/** Publishing a signed bundle, and waiting until every decider uses or rejects it. */
import { readFile } from 'node:fs/promises';
import {
  type PolicyEntry,
  type PolicyState,
  type PolicyStatus,
  policyStateSchema,
  type SignedBundle,
  sha256,
} from '@interlock/contracts';
import { buildBundle, openBundle } from '@interlock/policy';
import { opaProgram, policyFolders } from '@interlock/policy-analysis';
import { Failure, systemClock } from '@interlock/shell';
import { signedBundle } from '../applying.ts';
import type { ApiClient } from '../client.ts';
import { usage } from '../exit-codes.ts';
import { type FolderOptions, foldersOf } from '../folders.ts';
import { readPolicyState } from './bundles.ts';

/** Running deciders send their status every 30 s. */
const WAIT_MS = 40_000;
const POLL_MS = 100;

/** The source of a bundle: a folder that is compiled and signed here, or files that were made elsewhere. */
export interface BundleOptions extends FolderOptions {
  bundle?: string;
  signature?: string;
}

/** Returns a signed bundle. Throws when no decider would load it, before anything is published. */
export async function bundleFor(dir: string | undefined, options: BundleOptions): Promise<SignedBundle> {
  const { bundle: file, signature } = options;
  if (signature !== undefined && file === undefined) throw usage('--signature needs --bundle.');
  if (file !== undefined) {
    if (dir !== undefined) throw usage('Name a folder or --bundle, not both.');
    const bytes = openable(await readFile(file));
    const jws = await readFile(signature ?? `${file}.jws`, 'utf8');
    return { bundle: bytes.toString('base64'), signature: jws.trim() };
  }
  const folders = await policyFolders(dir, foldersOf(options).config);
  const signal = new AbortController().signal;
  const bytes = openable(Buffer.from(await buildBundle({ opaBin: opaProgram(), folders, signal })));
  return await signedBundle(foldersOf(options).data, bytes);
}

/** What is published, and whether publishing changed anything. */
export interface Submitted {
  state: PolicyState;
  entry: PolicyEntry;
  changed: boolean;
}

/** Publishes a bundle. Throws the console's refusal. */
export async function submit(
  client: ApiClient,
  signed: SignedBundle,
  { as, reason }: { as: 'current' | 'candidate'; reason?: string | undefined },
): Promise<Submitted> {
  const before = await readPolicyState(client);
  const body = { ...signed, as, ...(reason === undefined ? {} : { reason }) };
  const state = await client.request({ method: 'POST', path: '/v1/policy', body, reply: policyStateSchema });
  return submitted(before, state, as);
}

/** Returns the result of publishing. */
export function submitted(before: PolicyState, state: PolicyState, as: 'current' | 'candidate'): Submitted {
  const entry = state[as];
  if (entry === undefined)
    throw new Failure('answer_unexpected', 'The answer of the console names no published version.', {
      next: 'See interlock policy status.',
    });
  return { state, entry, changed: before[as]?.version !== entry.version };
}

/**
 * Waits until every decider uses a version, and returns their statuses.
 * Throws `bundle_rejected` when one rejected it, and `deciders_silent` when one does not report in time.
 */
export async function untilUsed(
  client: ApiClient,
  as: 'current' | 'candidate',
  { version, publishedAt }: PolicyEntry,
): Promise<PolicyStatus[]> {
  const endMs = systemClock.monotonicMs() + WAIT_MS;
  for (;;) {
    const { deciders } = await readPolicyState(client);
    const refusals = deciders.flatMap(({ replica, rejected }) =>
      rejected
        .filter((one) => one.as === as && one.version === version)
        .map(({ detail }) => `${replica}: ${detail}`),
    );
    if (refusals.length > 0)
      throw new Failure('bundle_rejected', `Version ${version} was rejected. ${refusals.join(' ')}`, {
        next: 'Running deciders still use the version before it. Publish a corrected policy, or roll back: a decider that starts now would use none.',
      });
    if (deciders.length > 0 && deciders.every((one) => (one[as]?.version ?? 0) >= version)) return deciders;
    if (systemClock.monotonicMs() > endMs) return runningOf(deciders, as, { version, publishedAt });
    await systemClock.sleep(POLL_MS);
  }
}

/** Waits until every decider uses the policy in force, as `untilUsed` does: what was applied may be refused by them. */
export async function untilPolicyUsed(client: ApiClient): Promise<void> {
  const { current } = await readPolicyState(client);
  if (current !== undefined) await untilUsed(client, 'current', current);
}

/** A decider that has sent no status since the publishing, for longer than their interval, does not run any more. */
function runningOf(
  deciders: readonly PolicyStatus[],
  as: 'current' | 'candidate',
  { version, publishedAt }: Pick<PolicyEntry, 'version' | 'publishedAt'>,
): PolicyStatus[] {
  const running = deciders.filter(({ at }) => at >= publishedAt);
  if (running.length > 0 && running.every((one) => (one[as]?.version ?? 0) >= version)) return running;
  const waiting = running.filter((one) => (one[as]?.version ?? 0) < version).map(({ replica }) => replica);
  const who =
    waiting.length === 0 ? 'No decider has sent its status' : `${waiting.join(', ')} does not use it yet`;
  throw new Failure('deciders_silent', `Version ${version} is published. ${who}.`, {
    next: 'See interlock policy status and interlock doctor.',
  });
}

function openable(bytes: Buffer): Buffer {
  openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
  return bytes;
}
