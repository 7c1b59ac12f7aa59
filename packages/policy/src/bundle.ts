import { Fault, type PolicyEntry, sha256 } from '@interlock/contracts';
import { readArchive } from './archive.ts';
import { Policy } from './rego.ts';

/** What `opa build` makes of a hundred rules and a megabyte of data is under 2 MiB. */
export const BUNDLE_MAX_BYTES = 16 * 1_048_576;

/** A policy that decides, and which one it is. */
export interface HeldPolicy {
  policy: Policy;
  version: number;
  digest: string;
}

/** Calls that name nobody or nothing: a policy that does not deny each of them would allow anything. */
const canaries: readonly object[] = [
  {},
  { subject: {}, action: {}, tool: {}, arguments: {}, session: {}, context: {} },
  {
    subject: { roles: [] },
    action: { name: 'execute_tool' },
    tool: { labels: [] },
    arguments: {},
    spends: 0,
  },
];

/**
 * Makes a policy of a bundle (the tar.gz of `opa build -t wasm`), if its bytes are those the signed entry names
 * and it denies every canary. Throws `configuration_invalid`.
 */
export function openBundle(entry: PolicyEntry, bytes: Uint8Array): HeldPolicy {
  const { version, digest } = entry;
  if (bytes.byteLength > BUNDLE_MAX_BYTES) throw refused('is larger than a decider takes');
  if (bytes.byteLength !== entry.bytes || sha256(bytes) !== digest)
    throw refused('is not the one that was published');
  const files = readArchive(bytes, ['/policy.wasm', '/data.json']);
  const policy = new Policy(files['/policy.wasm'], files['/data.json']);
  for (const canary of canaries) {
    if (verdictOf(policy, canary) !== 'deny') throw refused('allows a call that names nobody and nothing');
  }
  return { policy, version, digest };
}

function verdictOf(policy: Policy, canary: object): string {
  try {
    return policy.evaluate(canary).verdict;
  } catch (cause) {
    throw refused('cannot decide', cause);
  }
}

function refused(what: string, cause?: unknown): Fault {
  return new Fault('configuration_invalid', { detail: `The policy bundle ${what}.`, cause });
}
